-- Drives wrk with prepared lanes: wrk -s wrk.lua URL -- LANES THREADS WORDS WIDTH
-- A lane is one person's request (see lanes.py). Each thread takes its share of the lanes and goes
-- round them; the strings are made in init, so that a request costs at most one concatenation.
-- Between the two parts of a lane stands nothing (0), a number (1), or the next word (2).

local made = 0

function setup(thread)
   thread:set("index", made)
   made = made + 1
end

function init(args)
   local file = assert(io.open(args[1], "rb"))
   local threads = tonumber(args[2])
   before, after, fill, lanes, turn, number = {}, {}, {}, 0, 0, 0
   local seen = 0
   while true do
      local first, second, filling = file:read("*n", "*n", "*n")
      if not first then break end
      file:read(1)
      local head = file:read(first)
      local tail = second > 0 and file:read(second) or ""
      if seen % threads == index then
         lanes = lanes + 1
         fill[lanes] = filling
         before[lanes] = head
         if filling == 0 then before[lanes] = head .. tail end
         if filling == 1 then before[lanes] = head .. index .. "-" end
         after[lanes] = tail
      end
      seen = seen + 1
   end
   file:close()
   file = assert(io.open(args[3], "rb"))
   words, width = file:read("*a"), tonumber(args[4])
   file:close()
   -- Each thread starts elsewhere in the words, so that two do not ask for the same at once.
   word = math.floor(#words / width / threads) * index * width
end

function request()
   turn = turn % lanes + 1
   local filling = fill[turn]
   if filling == 0 then return before[turn] end
   if filling == 1 then
      number = number + 1
      return before[turn] .. number .. after[turn]
   end
   local at = word
   word = word + width
   if word + width > #words then word = 0 end
   return before[turn] .. words:sub(at + 1, at + width) .. after[turn]
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
