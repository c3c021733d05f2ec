// Countries with their dialling codes and currencies. Names come from Intl.
import { locale } from "./i18n.js";

// A dialling code, then the countries that share it, the main one first (libphonenumber).
const DIALLING =
  "1USAGAIASBBBMBSCADMDOGDGUJMKNKYLCMPMSPRSXTCTTVCVGVI 7RUKZ 20EG 27ZA 30GR 31NL 32BE 33FR " +
  "34ES 36HU 39ITVA 40RO 41CH 43AT 44GBGGIMJE 45DK 46SE 47NOSJ 48PL 49DE 51PE 52MX 53CU " +
  "54AR 55BR 56CL 57CO 58VE 60MY 61AUCCCX 62ID 63PH 64NZ 65SG 66TH 81JP 82KR 84VN 86CN 90TR " +
  "91IN 92PK 93AF 94LK 95MM 98IR 211SS 212MAEH 213DZ 216TN 218LY 220GM 221SN 222MR 223ML " +
  "224GN 225CI 226BF 227NE 228TG 229BJ 230MU 231LR 232SL 233GH 234NG 235TD 236CF 237CM " +
  "238CV 239ST 240GQ 241GA 242CG 243CD 244AO 245GW 246IO 247AC 248SC 249SD 250RW 251ET " +
  "252SO 253DJ 254KE 255TZ 256UG 257BI 258MZ 260ZM 261MG 262REYT 263ZW 264NA 265MW 266LS " +
  "267BW 268SZ 269KM 290SHTA 291ER 297AW 298FO 299GL 350GI 351PT 352LU 353IE 354IS 355AL " +
  "356MT 357CY 358FIAX 359BG 370LT 371LV 372EE 373MD 374AM 375BY 376AD 377MC 378SM 380UA " +
  "381RS 382ME 383XK 385HR 386SI 387BA 389MK 420CZ 421SK 423LI 500FK 501BZ 502GT 503SV " +
  "504HN 505NI 506CR 507PA 508PM 509HT 590GPBLMF 591BO 592GY 593EC 594GF 595PY 596MQ 597SR " +
  "598UY 599CWBQ 670TL 672NF 673BN 674NR 675PG 676TO 677SB 678VU 679FJ 680PW 681WF 682CK " +
  "683NU 685WS 686KI 687NC 688TV 689PF 690TK 691FM 692MH 850KP 852HK 853MO 855KH 856LA " +
  "880BD 886TW 960MV 961LB 962JO 963SY 964IQ 965KW 966SA 967YE 968OM 970PS 971AE 972IL " +
  "973BH 974QA 975BT 976MN 977NP 992TJ 993TM 994AZ 995GE 996KG 998UZ";

// A currency, then the countries where it is the usual one (CLDR).
const CURRENCY =
  "AED:AE AFN:AF ALL:AL AMD:AM AOA:AO ARS:AR AUD:AUCCCXKINFNRTV AWG:AW AZN:AZ BAM:BA BBD:BB " +
  "BDT:BD BHD:BH BIF:BI BMD:BM BND:BN BOB:BO BRL:BR BSD:BS BTN:BT BWP:BW BYN:BY BZD:BZ " +
  "CAD:CA CDF:CD CHF:CHLI CLP:CL CNY:CN COP:CO CRC:CR CUP:CU CVE:CV CZK:CZ DJF:DJ " +
  "DKK:DKFOGL DOP:DO DZD:DZ EGP:EG ERN:ER ETB:ET " +
  "EUR:ADATAXBEBGBLCYDEEEESFIFRGFGPGRHRIEITLTLULVMCMEMFMQMTNLPMPTRESISKSMVAXKYT FJD:FJ " +
  "FKP:FK GBP:GBGGIMJETA GEL:GE GHS:GH GIP:GI GMD:GM GNF:GN GTQ:GT GYD:GY HKD:HK HNL:HN " +
  "HTG:HT HUF:HU IDR:ID ILS:ILPS INR:IN IQD:IQ IRR:IR ISK:IS JMD:JM JOD:JO JPY:JP KES:KE " +
  "KGS:KG KHR:KH KMF:KM KPW:KP KRW:KR KWD:KW KYD:KY KZT:KZ LAK:LA LBP:LB LKR:LK LRD:LR " +
  "LSL:LS LYD:LY MAD:EHMA MDL:MD MGA:MG MKD:MK MMK:MM MNT:MN MOP:MO MRU:MR MUR:MU MVR:MV " +
  "MWK:MW MXN:MX MYR:MY MZN:MZ NAD:NA NGN:NG NIO:NI NOK:NOSJ NPR:NP NZD:CKNUNZTK OMR:OM " +
  "PAB:PA PEN:PE PGK:PG PHP:PH PKR:PK PLN:PL PYG:PY QAR:QA RON:RO RSD:RS RUB:RU RWF:RW " +
  "SAR:SA SBD:SB SCR:SC SDG:SD SEK:SE SGD:SG SHP:ACSH SLE:SL SOS:SO SRD:SR SSP:SS STN:ST " +
  "SYP:SY SZL:SZ THB:TH TJS:TJ TMT:TM TND:TN TOP:TO TRY:TR TTD:TT TWD:TW TZS:TZ UAH:UA " +
  "UGX:UG USD:ASBQECFMGUIOMHMPPRPWSVTCTLUSVGVIZW UYU:UY UZS:UZ VES:VE VND:VN VUV:VU WST:WS " +
  "XAF:CFCGCMGAGQTD XCD:AGAIDMGDKNLCMSVC XCG:CWSX XOF:BFBJCIGWMLNESNTG XPF:NCPFWF YER:YE " +
  "ZAR:ZA ZMW:ZM";

/** @typedef {{ country: string, dial: string }} Dialled */

/** @type {Map<string, string>} country → dialling code */
const dialOf = new Map();
/** @type {Map<string, string>} dialling code → its main country */
const mainOf = new Map();
for (const entry of DIALLING.split(" ")) {
  const dial = /** @type {string} */ (/^\d+/.exec(entry)?.[0]);
  const countries = entry.slice(dial.length).match(/../g) ?? [];
  mainOf.set(dial, /** @type {string} */ (countries[0]));
  for (const country of countries) dialOf.set(country, dial);
}

/** @type {Map<string, string>} country → currency */
const currencyOf = new Map();
for (const entry of CURRENCY.split(" ")) {
  const [code, countries = ""] = /** @type {[string, string]} */ (entry.split(":"));
  for (const country of countries.match(/../g) ?? []) currencyOf.set(country, code);
}

/** @param {string} country @returns {string} its dialling code, without plus */
export const diallingCode = (country) => dialOf.get(country) ?? "";

/** @param {string} country @returns {string} the currency people there use, else US dollars */
export const currencyIn = (country) => currencyOf.get(country) ?? "USD";

/** @returns {{ country: string, name: string }[]} all, by their name in the person's language */
export function listCountries() {
  const names = new Intl.DisplayNames(locale(), { type: "region" });
  const order = new Intl.Collator(locale()).compare;
  return [...dialOf.keys()]
    .map((country) => ({ country, name: names.of(country) ?? country }))
    .sort((a, b) => order(a.name, b.name));
}

/** @returns {string} where this device is from, by its languages; else Singapore */
export function guessCountry() {
  for (const tag of navigator.languages) {
    const region = new Intl.Locale(tag).region;
    if (region && dialOf.has(region)) return region;
  }
  return "SG";
}

/** @param {string} digits after the plus @returns {Dialled | null} the country that they begin with */
export function readDialling(digits) {
  for (const length of [3, 2, 1]) {
    const dial = digits.slice(0, length);
    const country = mainOf.get(dial);
    if (country) return { country, dial };
  }
  return null;
}

/** @param {string} phone as E.164 @returns {string} its country, as far as the dialling code says */
export const countryOf = (phone) => readDialling(phone.replace(/\D/g, ""))?.country ?? guessCountry();
