// Opening a wallet in another currency.
import { Button } from "../../components/controls.js";
import { Form, Select } from "../../components/fields.js";
import { Sheet } from "../../components/sheet.js";
import { useForm } from "../../core/forms.js";
import { t } from "../../core/i18n.js";
import { COMMON_CURRENCIES, nameOf } from "../../core/money.js";
import { say } from "../../core/toasts.js";
import { html } from "../../core/ui.js";
import { likelyCurrency } from "../../money/likely.js";
import { openWallet, wallets } from "../../money/wallets.js";

/** @param {{ onClose: () => void }} props */
export function AddWallet({ onClose }) {
  const mine = new Set((wallets.data.value ?? []).map(({ currency }) => currency));
  const likely = likelyCurrency();
  const offered = [...new Set([likely, ...COMMON_CURRENCIES])].filter((code) => !mine.has(code));
  const form = useForm({ currency: offered[0] ?? "" }, async ({ currency }) => {
    await openWallet(currency);
    say(t("wallet.opened", { currency: nameOf(currency) }));
    onClose();
  });
  return html`<${Sheet} title=${t("wallet.add")} onClose=${onClose}>
    <${Form} form=${form}>
      <${Select}
        ...${form.field("currency")}
        label=${t("wallet.currency")}
        hint=${t("wallet.currency.hint")}
        options=${offered.map((code) => ({ value: code, label: `${code} · ${nameOf(code)}` }))}
      />
      <${Button} type="submit" busy=${form.busy}>${t("home.open")}<//>
    <//>
  <//>`;
}
