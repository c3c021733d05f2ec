// The names behind the payees, as the server tells them: looked up while the amount is typed.
import { Skeleton } from "../../components/feedback.js";
import { asProblem } from "../../core/problems.js";
import { html, signal, useEffect } from "../../core/ui.js";
import { changePayee, draft } from "../../money/draft.js";
import { lookUpName } from "../../money/people.js";

/** @typedef {import("../../core/problems.js").Problem} Problem */

/** Names that the server told in this visit, or why it did not. */
export const told = signal(/** @type {Record<string, { name: string } | { problem: Problem }>} */ ({}));
/** @type {Set<string>} */
const asking = new Set();

/** @param {string} to asks unless it is known */
async function ask(to) {
  const known = told.peek()[to];
  if (asking.has(to) || (known && "name" in known)) return;
  asking.add(to);
  try {
    const name = await lookUpName(to);
    told.value = { ...told.peek(), [to]: { name } };
    changePayee(to, { name });
  } catch (error) {
    told.value = { ...told.peek(), [to]: { problem: asProblem(error) } };
  } finally {
    asking.delete(to);
  }
}

/** Looks the names of all payees up; `retry` asks again for those that failed. */
export function useNames() {
  const list = draft.value.payees.map(({ to }) => to);
  useEffect(() => {
    for (const to of list) void ask(to);
  }, [list.join(" ")]);
  return {
    retry: () => {
      for (const to of list) void ask(to);
    },
    /** The first payee nobody is behind, or whose name could not be had. */
    problem: list.map((to) => told.value[to]).find((one) => one && "problem" in one),
    complete: list.every((to) => told.value[to] && "name" in (told.value[to] ?? {})),
  };
}

/** @param {{ payee: import("../../money/draft.js").Payee }} props */
export function Name({ payee }) {
  const found = told.value[payee.to];
  if (found && "name" in found) return html`<bdi>${found.name}</bdi>`;
  if (found || payee.name) return html`<bdi>${payee.name ?? payee.to}</bdi>`;
  return html`<${Skeleton} width="8em" />`;
}
