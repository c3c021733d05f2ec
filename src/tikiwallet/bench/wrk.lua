-- Drives wrk with prepared lanes: wrk -s wrk.lua URL -- LANES THREADS
-- A lane is one person's request (see lanes.py). Each thread takes its share of the lanes and goes
-- round them; the strings are made in init, so that a request costs at most one concatenation.

local made = 0

function setup(thread)
   thread:set("index", made)
   made = made + 1
end

function init(args)
   local file = assert(io.open(args[1], "rb"))
   local threads = tonumber(args[2])
   before, after, lanes, turn, number = {}, {}, 0, 0, 0
   local seen = 0
   while true do
      local first, second, counted = file:read("*n", "*n", "*n")
      if not first then break end
      file:read(1)
      local head = file:read(first)
      local tail = second > 0 and file:read(second) or ""
      if seen % threads == index then
         lanes = lanes + 1
         before[lanes] = counted == 1 and head .. index .. "-" or head .. tail
         after[lanes] = counted == 1 and tail or false
      end
      seen = seen + 1
   end
   file:close()
end

function request()
   turn = turn % lanes + 1
   local tail = after[turn]
   if not tail then return before[turn] end
   number = number + 1
   return before[turn] .. number .. tail
end

function done(summary, latency)
   local errors = summary.errors
   io.write(string.format(
      '\n{"requests":%d,"duration_us":%d,"refused":%d,"broken":%d,"p50_us":%d,"p99_us":%d}\n',
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(99)))
end
