// How safe the wallet is, at one glance, and the way to each part of it.
import { Badge, ListItem } from "../components/display.js";
import { Notice, SkeletonList } from "../components/feedback.js";
import { Recoveries } from "../components/recovering.js";
import { Screen } from "../components/screen.js";
import { factors, identities, sessions } from "../core/account.js";
import { t } from "../core/i18n.js";
import { useResource } from "../core/resource.js";
import { me } from "../core/session.js";
import { html } from "../core/ui.js";

/** @param {boolean} on */
const state = (on) =>
  html`<${Badge} kind=${on ? "good" : undefined}>${t(on ? "state.on" : "state.off")}<//>`;

export default function Security() {
  useResource(factors);
  useResource(sessions);
  useResource(identities);
  const own = factors.data.value;
  const places = sessions.data.value;
  const elsewhere = identities.data.value;
  const person = me.value;

  return html`<${Screen} title=${t("security.title")} back="/you">
    <div class="stack stack-l">
      <${Recoveries} />
      <section class="section">
        <h2>${t("security.paying")}</h2>
        <ul class="list">
          <${ListItem}
            icon="lock"
            title=${t("pin.title")}
            text=${t("pin.about")}
            end=${person && state(person.pin_set)}
            href="/security/pin"
          />
        </ul>
      </section>
      <section class="section">
        <h2>${t("security.signing-in")}</h2>
        ${own
          ? html`<ul class="list">
              <${ListItem}
                icon="fingerprint"
                title=${t("passkeys.title")}
                text=${t("passkeys.about")}
                end=${own.passkeys.length
                  ? html`<${Badge} kind="good">${t("passkeys.count", { count: own.passkeys.length })}<//>`
                  : state(false)}
                href="/security/passkeys"
              />
              <${ListItem}
                icon="clock"
                title=${t("totp.title")}
                text=${t("totp.about")}
                end=${state(own.totp)}
                href="/security/authenticator"
              />
              <${ListItem}
                icon="message"
                title=${t("sms.title")}
                text=${t("sms.about")}
                end=${state(own.sms)}
                href="/security/authenticator#sms"
              />
              <${ListItem}
                icon="edit"
                title=${t("password.title")}
                text=${t("password.about")}
                href="/security/password"
              />
              ${elsewhere &&
              elsewhere.offered.length + elsewhere.linked.length > 0 &&
              html`<${ListItem}
                icon="link"
                title=${t("accounts.title")}
                text=${t("accounts.about")}
                end=${state(elsewhere.linked.length > 0)}
                href="/security/accounts"
              />`}
            </ul>`
          : factors.problem.value
            ? html`<${Notice} kind="warn">${t("security.unknown")}<//>`
            : html`<${SkeletonList} />`}
      </section>
      <section class="section">
        <h2>${t("security.watch")}</h2>
        <ul class="list">
          <${ListItem}
            icon="laptop"
            title=${t("sessions.title")}
            text=${places ? t("sessions.count", { count: places.length }) : t("sessions.about")}
            href="/security/devices"
          />
          <${ListItem}
            icon="list"
            title=${t("events.title")}
            text=${t("events.about")}
            href="/security/events"
          />
        </ul>
      </section>
    </div>
  <//>`;
}
