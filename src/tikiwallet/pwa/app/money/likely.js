// What a new person probably wants: the currency of their country.
import { countryOf, currencyIn, guessCountry } from "../core/countries.js";
import { me } from "../core/session.js";

/** @returns {string} */
export function likelyCurrency() {
  const person = me.value;
  if (person?.home_currency) return person.home_currency;
  return currencyIn(person?.phone ? countryOf(person.phone) : guessCountry());
}
