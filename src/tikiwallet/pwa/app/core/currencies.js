// Every currency that a wallet can hold, for where one is chosen. The server's table is the authority.
import { COMMON_CURRENCIES, nameOf } from "./money.js";

export const CURRENCIES = (
  "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP " +
  "BYN BZD CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN " +
  "ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK " +
  "JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD " +
  "MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP " +
  "PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP " +
  "SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD USN UYI UYU UYW UZS VED VES VND VUV " +
  "WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG BTC ETH TIK"
).split(" ");

/** @returns {{ value: string, label: string }[]} the common ones first, then all by code */
export function currencyOptions() {
  const rest = CURRENCIES.filter((code) => !COMMON_CURRENCIES.includes(code)).sort();
  return [...COMMON_CURRENCIES, ...rest].map((code) => ({
    value: code,
    label: `${code} · ${nameOf(code)}`,
  }));
}
