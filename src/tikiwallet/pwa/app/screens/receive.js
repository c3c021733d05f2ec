// Being paid: one's own code and link, with an amount or without.
import { AmountInput } from "../components/amount.js";
import { Button, Choices, CopyButton } from "../components/controls.js";
import { Avatar } from "../components/display.js";
import { Notice } from "../components/feedback.js";
import { Field, Select } from "../components/fields.js";
import { QR } from "../components/qr.js";
import { Screen } from "../components/screen.js";
import { reachable } from "../core/api.js";
import { t } from "../core/i18n.js";
import { formatMoney, nameOf } from "../core/money.js";
import { useResource } from "../core/resource.js";
import { me } from "../core/session.js";
import { html, useState } from "../core/ui.js";
import { likelyCurrency } from "../money/likely.js";
import { payLink } from "../money/links.js";
import { share } from "../money/share.js";
import { mainWallet, wallets } from "../money/wallets.js";

export default function Receive() {
  useResource(wallets);
  const person = me.value;
  const list = wallets.data.value ?? [];
  const [by, setBy] = useState(/** @type {"name" | "wallet"} */ ("name"));
  const [currency, setCurrency] = useState(mainWallet(list)?.currency ?? likelyCurrency());
  const [amount, setAmount] = useState(/** @type {number | null} */ (null));
  const [memo, setMemo] = useState("");
  const [asks, setAsks] = useState(false);
  if (!person) return html`<${Screen} title=${t("receive.title")} />`;

  const wallet = list.find((one) => one.currency === currency);
  const to = by === "wallet" && wallet ? wallet.id : `@${person.username}`;
  const money = asks && amount ? { amount, currency } : undefined;
  const link = payLink({ to, money, memo: asks && memo.trim() ? memo.trim() : undefined });
  const label = money
    ? t("receive.code-amount", { name: person.display_name, amount: formatMoney(money) })
    : t("receive.code", { name: person.display_name });

  return html`<${Screen} title=${t("receive.title")}>
    <div class="stack stack-l">
      ${!reachable.value &&
      html`<${Notice} icon="offline" title=${t("receive.offline")}>
        <p>${t("receive.offline.text")}</p>
        <p><${Button} variant="quiet" small icon="receive" href="/offline/receive">${t("receive.offline.do")}<//></p>
      <//>`}
      <div class="card ticket">
        <${Avatar} name=${person.display_name} />
        <p class="ticket-name"><bdi>${person.display_name}</bdi></p>
        <p class="soft"><bdi>@${person.username}</bdi></p>
        <${QR} text=${link} label=${label} />
        <p class="ticket-amount">${money ? formatMoney(money) : t("receive.any")}</p>
        ${asks && memo.trim() && html`<p class="soft"><bdi>${memo.trim()}</bdi></p>`}
        <div class="carved" />
      </div>
      <div class="row two">
        <${CopyButton} text=${() => link} label=${t("receive.copy")} small=${false} />
        <${Button}
          icon="share"
          onClick=${() => share({ text: label, url: link })}
          >${t("do.share")}<//
        >
      </div>
      ${asks
        ? html`<section class="card stack">
            ${list.length > 1 &&
            html`<${Select}
              label=${t("wallet.currency")}
              value=${currency}
              options=${list.map((one) => ({ value: one.currency, label: `${one.currency} · ${nameOf(one.currency)}` }))}
              onInput=${(/** @type {string} */ code) => {
                setCurrency(code);
                setAmount(null);
              }}
            />`}
            <${AmountInput} key=${currency} currency=${currency} amount=${amount} onChange=${setAmount} autofocus />
            <${Field}
              label=${t("memo.label")}
              optional
              value=${memo}
              maxlength="140"
              autocomplete="off"
              onInput=${setMemo}
            />
            <${Button} variant="quiet" small onClick=${() => setAsks(false)}>${t("receive.without")}<//>
          </section>`
        : html`<${Button} variant="soft" icon="plus" block onClick=${() => setAsks(true)}>${t("receive.with")}<//>`}
      ${list.length > 0 &&
      html`<section class="stack stack-s">
        <${Choices}
          label=${t("receive.by")}
          value=${by}
          options=${[
            { value: "name", label: t("receive.by-name"), icon: "at" },
            { value: "wallet", label: t("receive.by-wallet"), icon: "wallet" },
          ]}
          onChange=${setBy}
        />
        <p class="small soft">${t(by === "name" ? "receive.by-name.text" : "receive.by-wallet.text", { currency: nameOf(currency) })}</p>
        ${by === "wallet" && wallet && html`<p class="centred"><code>${wallet.id}</code></p>`}
      </section>`}
    </div>
  <//>`;
}
