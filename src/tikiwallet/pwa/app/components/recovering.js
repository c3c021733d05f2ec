// Somebody asked for a new password of this wallet: shown wherever the person comes by, with the way to
// stop it.
import { del, get } from "../core/api.js";
import { formatWhen } from "../core/dates.js";
import { t } from "../core/i18n.js";
import { asProblem } from "../core/problems.js";
import { createResource, useResource } from "../core/resource.js";
import { say, sayProblem } from "../core/toasts.js";
import { html } from "../core/ui.js";
import { Button } from "./controls.js";
import { Notice } from "./feedback.js";

/** @typedef {{ id: string, ready_at: string, device: string | null, address: string | null }} Recovery */

/** @type {import("../core/resource.js").Resource<Recovery[]>} */
const recoveries = createResource("recoveries", async () => (await get("/v1/me/recoveries")).items);

/** @param {string} id */
async function stop(id) {
  try {
    await del(`/v1/me/recoveries/${id}`);
    await recoveries.refresh();
    say(t("recovering.stopped"));
  } catch (error) {
    sayProblem(asProblem(error));
  }
}

export function Recoveries() {
  useResource(recoveries);
  return (recoveries.data.value ?? []).map(({ id, ready_at, device, address }) => {
    const where = [device, address].filter(Boolean).join(" · ");
    return html`<${Notice} key=${id} kind="error" title=${t("recovering.title")}>
      <p>${t("recovering.text", { at: formatWhen(ready_at) })}</p>
      ${where && html`<p><bdi>${where}</bdi></p>`}
      <${Button} variant="danger" small onClick=${() => stop(id)}>${t("recovering.stop")}<//>
    <//>`;
  });
}
