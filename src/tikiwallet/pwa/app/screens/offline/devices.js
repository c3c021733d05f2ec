// The devices that hold offline money: their names, and reporting one lost.
import { Button } from "../../components/controls.js";
import { Badge, Bullet } from "../../components/display.js";
import { EmptyState, Loaded } from "../../components/feedback.js";
import { Field, Form } from "../../components/fields.js";
import { Screen } from "../../components/screen.js";
import { Sheet } from "../../components/sheet.js";
import { formatAge, formatWhen } from "../../core/dates.js";
import { useForm } from "../../core/forms.js";
import { t } from "../../core/i18n.js";
import { asProblem } from "../../core/problems.js";
import { useResource } from "../../core/resource.js";
import { say, sayProblem } from "../../core/toasts.js";
import { html, useState } from "../../core/ui.js";
import { devices, renameDevice, reportDevice } from "../../offline/devices.js";
import { useHeld } from "../../offline/holdings.js";

/** @typedef {import("../../offline/devices.js").Device} Device */

const DAYS = 4; // how old a list of lost devices may be

export default function Devices() {
  useResource(devices);
  const own = useHeld()?.device?.id;
  const [open, setOpen] = useState(/** @type {{ what: "rename" | "report", device: Device } | null} */ (null));
  const close = () => setOpen(null);
  return html`<${Screen} title=${t("dev.title")} back="/offline">
    <${Loaded} of=${devices}>
      ${(/** @type {Device[]} */ all) =>
        all.length
          ? html`<ul class="list">
              ${all.map((one) => html`<${Entry} key=${one.id} device=${one} own=${one.id === own} open=${setOpen} />`)}
            </ul>`
          : html`<${EmptyState} icon="phone" title=${t("dev.none")}>${t("dev.none.text")}<//>`}
    <//>
    ${open?.what === "rename" && html`<${Rename} device=${open.device} close=${close} />`}
    ${open?.what === "report" && html`<${Report} device=${open.device} close=${close} />`}
  <//>`;
}

/** @param {{ device: Device, own: boolean, open: (what: any) => void }} props */
const Entry = ({ device, own, open }) => html`<li class="item off-device">
  <${Bullet} icon=${device.kind === "terminal" ? "store" : "phone"} kind=${device.revoked_at ? "plain" : undefined} />
  <span class="item-words">
    <span class="item-title"><bdi>${device.name}</bdi> ${own && html`<${Badge} kind="good">${t("dev.this")}<//>`}</span>
    <span class="item-text">${t(`dev.tier.${device.protection}`)} · ${t("dev.since", { when: formatWhen(device.created_at) })}</span>
    ${device.revoked_at
      ? html`<span class="item-text">${t("dev.lost", { age: formatAge(device.revoked_at) })}</span>`
      : device.last_sync_at && html`<span class="item-text">${t("dev.seen", { age: formatAge(device.last_sync_at) })}</span>`}
  </span>
  ${!device.revoked_at &&
  html`<span class="off-device-do">
    <${Button} variant="secondary" small aria-label=${`${t("dev.rename")}: ${device.name}`} onClick=${() => open({ what: "rename", device })}>${t("dev.rename")}<//>
    <${Button} variant="danger-quiet" small aria-label=${t("dev.report.title", { name: device.name })} onClick=${() => open({ what: "report", device })}>${t("dev.report")}<//>
  </span>`}
</li>`;

/** @param {{ device: Device, close: () => void }} props */
function Rename({ device, close }) {
  const form = useForm(
    { name: device.name },
    async ({ name }) => {
      await renameDevice(device.id, name.trim());
      close();
    },
    { check: ({ name }) => ({ name: name.trim() ? null : t("dev.name.empty") }) },
  );
  return html`<${Sheet} title=${t("dev.rename")} onClose=${close}>
    <${Form} form=${form}>
      <${Field} ...${form.field("name")} label=${t("dev.name")} maxlength="40" autocomplete="off" />
      <${Button} type="submit" block busy=${form.busy}>${t("do.save")}<//>
    <//>
  <//>`;
}

/** @param {{ device: Device, close: () => void }} props */
function Report({ device, close }) {
  const [busy, setBusy] = useState("");
  /** @param {"lost" | "stolen"} reason */
  const report = async (reason) => {
    setBusy(reason);
    try {
      await reportDevice(device.id, reason);
      say(t("dev.reported"));
      close();
    } catch (error) {
      sayProblem(asProblem(error));
      setBusy("");
    }
  };
  return html`<${Sheet} title=${t("dev.report.title", { name: device.name })} onClose=${close}>
    <div class="stack">
      <p>${t("dev.report.text", { days: DAYS })}</p>
      <${Button} variant="danger" block busy=${busy === "lost"} onClick=${() => report("lost")}>${t("dev.report.lost")}<//>
      <${Button} variant="danger" block busy=${busy === "stolen"} onClick=${() => report("stolen")}>${t("dev.report.stolen")}<//>
      <${Button} variant="quiet" block onClick=${close}>${t("do.cancel")}<//>
    </div>
  <//>`;
}
