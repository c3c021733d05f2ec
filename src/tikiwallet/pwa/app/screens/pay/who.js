// Who is paid: somebody known, or a phone, @name, wallet or code.
import { Button, IconButton } from "../../components/controls.js";
import { Avatar, ListItem } from "../../components/display.js";
import { Notice } from "../../components/feedback.js";
import { Field, Form } from "../../components/fields.js";
import { Icon } from "../../components/icons.js";
import { Screen } from "../../components/screen.js";
import { reachable } from "../../core/api.js";
import { useForm } from "../../core/forms.js";
import { t } from "../../core/i18n.js";
import { navigate } from "../../core/router.js";
import { html, useState } from "../../core/ui.js";
import { addPayee, changeDraft, draft, PAYEES_MAX, removePayee } from "../../money/draft.js";
import { readCode } from "../../money/links.js";
import { isOneself, knownPeople, lookUpName } from "../../money/people.js";

/** @typedef {import("../../money/links.js").Request} Request */

/** @param {string} text @returns {string | null} what is wrong with it, in words */
function wrongWith(text) {
  const asked = readCode(text);
  if (!text.trim()) return t("who.empty");
  if (asked && "foreign" in asked) return t("who.foreign", { host: asked.foreign });
  if (!asked) return t("who.form");
  return aboutPayee(asked.to);
}

/** @param {string} to */
function aboutPayee(to) {
  const { payees } = draft.value;
  if (isOneself(to)) return t("who.self");
  if (payees.some((one) => one.to === to)) return t("who.twice");
  return payees.length >= PAYEES_MAX ? t("who.most", { count: PAYEES_MAX }) : null;
}

/** @param {Request} asked @param {string} [name] */
function choose({ to, money, memo }, name) {
  addPayee(to, name);
  if (money) changeDraft({ total: money.amount, currency: money.currency, wallet: null });
  if (memo) changeDraft({ memo });
  navigate("/pay?step=amount");
}

/** @param {{ step: string }} props */
export function Who({ step }) {
  const [Scanner, setScanner] = useState(/** @type {any} */ (null));
  const { payees } = draft.value;
  const form = useForm(
    { to: "" },
    async (values) => {
      const asked = /** @type {Request} */ (readCode(values.to));
      choose(asked, await lookUpName(asked.to));
    },
    {
      check: ({ to }) => ({ to: wrongWith(to) }),
      fields: { unknown_recipient: "to", phone_invalid: "to", too_many_requests: "to" },
    },
  );
  const scan = async () => {
    const module = await import("./scanner.js");
    setScanner(() => module.Scanner);
  };
  const typed = form.values.to.trim().toLowerCase().replace(/^@/, "");
  const people = knownPeople().filter(
    ({ to, name }) =>
      !payees.some((one) => one.to === to) &&
      (name.toLowerCase().includes(typed) || to.toLowerCase().includes(typed)),
  );
  const back = payees.length ? () => navigate("/pay?step=amount") : "/";

  return html`<${Screen} title=${t(payees.length ? "who.another" : "who.title")} back=${back}>
    <div class="stack stack-l">
      ${step === "unreadable" && html`<${Notice} kind="warn" live>${t("who.unreadable")}<//>`}
      ${payees.length > 0 && html`<${Chosen} />`}
      ${!reachable.value &&
      html`<${Notice} icon="offline" title=${t("who.offline")}>
        <p>${t("who.offline.text")}</p>
        <p><${Button} variant="quiet" small icon="pay" href="/offline/pay">${t("who.offline.do")}<//></p>
      <//>`}
      <${Form} form=${form}>
        <${Field}
          ...${form.field("to")}
          label=${t("who.label")}
          hint=${t("who.hint")}
          autocomplete="off"
          autocapitalize="none"
          spellcheck=${false}
          inputmode="text"
          enterkeyhint="go"
          maxlength="300"
          dir="auto"
          after=${html`<${IconButton} icon="scan" label=${t("who.scan")} onClick=${scan} />`}
        />
        ${(typed || form.busy) &&
        html`<${Button} type="submit" busy=${form.busy}>${t("do.continue")}<//>`}
        ${!typed &&
        !form.busy &&
        html`<${Button} variant="soft" icon="scan" onClick=${scan}>${t("who.scan")}<//>`}
      <//>
      ${people.length > 0 &&
      html`<section class="section">
        <h2>${t("who.known")}</h2>
        <ul class="list">
          ${people.map(
            ({ to, name, favourite }) => html`<${ListItem}
              key=${to}
              leading=${html`<${Avatar} name=${name} />`}
              title=${html`<bdi>${name}</bdi>`}
              text=${html`<bdi>${to}</bdi>`}
              end=${favourite &&
              html`<span class="favourite"><${Icon} name="star" /><span class="unseen">${t("contacts.favourite")}</span></span>`}
              onClick=${() => choose({ to }, name)}
            />`,
          )}
        </ul>
      </section>`}
    </div>
    ${Scanner &&
    html`<${Scanner}
      onClose=${() => setScanner(null)}
      wrong=${(/** @type {string} */ text) => wrongWith(text)}
      onFound=${(/** @type {string} */ text) => {
        setScanner(null);
        choose(/** @type {Request} */ (readCode(text)));
      }}
    />`}
  <//>`;
}

/** Those who were chosen before. */
const Chosen = () => html`<ul class="chosen" aria-label=${t("who.chosen")}>
  ${draft.value.payees.map(
    ({ to, name }) => html`<li key=${to}>
      <span class="chosen-one"
        ><bdi>${name ?? to}</bdi>
        <${IconButton} icon="close" label=${t("who.remove", { name: name ?? to })} onClick=${() => removePayee(to)}
      /></span>
    </li>`,
  )}
</ul>`;
