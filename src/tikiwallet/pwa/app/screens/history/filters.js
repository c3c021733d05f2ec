// What of the history is shown.
import { Button, Choices } from "../../components/controls.js";
import { Field, Select } from "../../components/fields.js";
import { Sheet } from "../../components/sheet.js";
import { t } from "../../core/i18n.js";
import { html, useState } from "../../core/ui.js";
import { NO_FILTERS } from "../../money/entries.js";
import { KINDS, kindWords, statusWords } from "../../money/words.js";

/** @typedef {import("../../money/entries.js").Filters} Filters */

/** @param {{ value: Filters, onDone: (chosen: Filters) => void, onClose: () => void }} props */
export function FilterSheet({ value, onDone, onClose }) {
  const [chosen, setChosen] = useState(value);
  /** @param {Partial<Filters>} part */
  const change = (part) => setChosen((before) => ({ ...before, ...part }));
  const backwards = chosen.from && chosen.to && chosen.from > chosen.to;
  const today = new Date().toLocaleDateString("sv"); // as date inputs write it
  return html`<${Sheet} title=${t("filter.title")} onClose=${onClose}>
    <form
      class="stack"
      novalidate
      onSubmit=${(/** @type {Event} */ event) => {
        event.preventDefault();
        if (!backwards) onDone(chosen);
      }}
    >
      <${Choices}
        label=${t("filter.direction")}
        value=${chosen.direction}
        options=${[
          { value: "", label: t("filter.both") },
          { value: "in", label: t("filter.in"), icon: "receive" },
          { value: "out", label: t("filter.out"), icon: "pay" },
        ]}
        onChange=${(/** @type {Filters["direction"]} */ direction) => change({ direction })}
      />
      <${Select}
        label=${t("filter.kind")}
        value=${chosen.kind}
        options=${[{ value: "", label: t("filter.any") }, ...KINDS.map((kind) => ({ value: kind, label: kindWords(kind) }))]}
        onInput=${(/** @type {string} */ kind) => change({ kind })}
      />
      <${Select}
        label=${t("filter.status")}
        value=${chosen.status}
        options=${[
          { value: "", label: t("filter.any") },
          ...["posted", "held", "released"].map((status) => ({ value: status, label: statusWords(status) })),
        ]}
        onInput=${(/** @type {string} */ status) => change({ status })}
      />
      <div class="row two">
        <${Field} label=${t("filter.from")} type="date" max=${today} value=${chosen.from} onInput=${(/** @type {string} */ from) => change({ from })} />
        <${Field}
          label=${t("filter.to")}
          type="date"
          max=${today}
          value=${chosen.to}
          error=${backwards ? t("filter.backwards") : undefined}
          onInput=${(/** @type {string} */ to) => change({ to })}
        />
      </div>
      <${Button} type="submit">${t("filter.show")}<//>
      <${Button} variant="quiet" onClick=${() => onDone({ ...NO_FILTERS, text: chosen.text })}>${t("history.clear")}<//>
    </form>
  <//>`;
}
