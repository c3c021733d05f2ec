// A note that only the two sides' devices can read.
import { Button } from "../../components/controls.js";
import { Notice, Skeleton } from "../../components/feedback.js";
import { Field, Form } from "../../components/fields.js";
import { Icon } from "../../components/icons.js";
import { formatWhen } from "../../core/dates.js";
import { useForm } from "../../core/forms.js";
import { t } from "../../core/i18n.js";
import { asProblem, wordsOf } from "../../core/problems.js";
import { say } from "../../core/toasts.js";
import { html, useEffect, useState } from "../../core/ui.js";
import { isTooLong, readNote, writeNote } from "../../money/notes.js";

/** @typedef {import("../../money/notes.js").Note} Note */
/** @typedef {import("../../core/problems.js").Problem} Problem */

/** @param {{ payment: string, people: string[], name: string }} props */
export function PrivateNote({ payment, people, name }) {
  const [note, setNote] = useState(/** @type {Note | null | undefined} */ (undefined));
  const [problem, setProblem] = useState(/** @type {Problem | null} */ (null));
  const [writes, setWrites] = useState(false);
  useEffect(() => {
    readNote(payment).then(setNote, (error) => setProblem(asProblem(error)));
  }, [payment]);
  const form = useForm(
    { text: "" },
    async ({ text }) => {
      await writeNote(payment, people, text.trim());
      setNote({ text: text.trim(), from_device: "", at: new Date().toISOString() });
      setProblem(null);
      setWrites(false);
      say(t("note.saved"));
    },
    {
      check: ({ text }) => ({ text: !text.trim() ? t("note.empty") : isTooLong(text.trim()) ? t("note.long") : null }),
      fields: { note_no_device: "text" },
    },
  );
  const waiting = note === undefined && !problem;
  return html`<section class="section">
    <h2>${t("note.title")}</h2>
    <div class="card stack">
      ${waiting && html`<${Skeleton} width="60%" />`}
      ${note && html`<blockquote class="note"><p><bdi>${note.text}</bdi></p><footer class="small soft">${formatWhen(note.at)}</footer></blockquote>`}
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
        : html`<${Button}
            variant="soft"
            icon="note"
            disabled=${waiting}
            onClick=${() => {
              form.reset();
              if (note) form.set("text", note.text);
              setWrites(true);
            }}
            >${t(note ? "note.change" : "note.write")}<//
          >`}
    </div>
  </section>`;
}
