// Notes that only the two sides' devices can read.
import { Button } from "../../components/controls.js";
import { Notice, Skeleton } from "../../components/feedback.js";
import { Field, Form } from "../../components/fields.js";
import { Icon } from "../../components/icons.js";
import { formatWhen } from "../../core/dates.js";
import { useForm } from "../../core/forms.js";
import { t } from "../../core/i18n.js";
import { asProblem, wordsOf } from "../../core/problems.js";
import { me } from "../../core/session.js";
import { say } from "../../core/toasts.js";
import { html, useEffect, useState } from "../../core/ui.js";
import { isTooLong, readNotes, writeNote } from "../../money/notes.js";

/** @typedef {import("../../money/notes.js").Note} Note */
/** @typedef {import("../../core/problems.js").Problem} Problem */

/** @param {string} text @returns {string | null} what is wrong with it, in words */
function wrongWith(text) {
  if (!text.trim()) return t("note.empty");
  return isTooLong(text.trim()) ? t("note.long") : null;
}

/** @param {{ payment: string, people: string[], name: string }} props people: @usernames of the other side */
export function PrivateNote({ payment, people, name }) {
  const [notes, setNotes] = useState(/** @type {Note[] | null} */ (null));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [writes, setWrites] = useState(false);
  const own = `@${me.value?.username}`;
  const mine = notes?.find(({ author }) => author === own);
  useEffect(() => {
    readNotes(payment).then(setNotes, (error) => setProblem(asProblem(error)));
  }, [payment]);
  const form = useForm(
    { text: "" },
    async ({ text }) => {
      const written = await writeNote(payment, people, text.trim());
      setNotes((before) => [written, ...(before ?? []).filter(({ author }) => author !== own)]);
      setProblem(null);
      setWrites(false);
      say(t("note.saved"));
    },
    { check: ({ text }) => ({ text: wrongWith(text) }), fields: { note_no_device: "text" } },
  );
  const begin = () => {
    form.reset();
    if (mine?.text) form.set("text", mine.text);
    setWrites(true);
  };
  const waiting = notes === null && problem === null;
  return html`<section class="section">
    <h2>${t("note.title")}</h2>
    <div class="card stack">
      ${waiting && html`<${Skeleton} width="60%" />`}
      ${notes?.map((note) => html`<${Written} key=${note.author} note=${note} name=${note.author === own ? t("nav.you") : name} />`)}
      ${problem && html`<${Notice} kind="warn">${wordsOf(problem)}<//>`}
      <p class="small soft row note-about"><${Icon} name="lock" /><span>${t("note.about", { name })}</span></p>
      ${writes
        ? html`<${Form} form=${form}>
            <${Field} ...${form.field("text")} label=${t("note.label")} rows="3" autocomplete="off" dir="auto" />
            <div class="row two">
              <${Button} type="submit" busy=${form.busy}>${t("note.save")}<//>
              <${Button} variant="quiet" onClick=${() => setWrites(false)}>${t("do.cancel")}<//>
            </div>
          <//>`
        : html`<${Button} variant="soft" icon="note" disabled=${waiting} onClick=${begin}>
            ${t(mine ? "note.change" : "note.write")}
          <//>`}
    </div>
  </section>`;
}

/** @param {{ note: Note, name: string }} props */
const Written = ({ note, name }) => html`<blockquote class="note">
  <p>${note.text === null ? t("problem.note_unreadable") : html`<bdi>${note.text}</bdi>`}</p>
  <footer class="small soft"><bdi>${name}</bdi> · ${formatWhen(note.at)}</footer>
</blockquote>`;
