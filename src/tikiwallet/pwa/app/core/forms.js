// Forms that say what is wrong beside the field and keep what was typed.
import { asProblem, wordsOf } from "./problems.js";
import { useRef, useState } from "./ui.js";

/** Which field a refusal belongs to; a form adds its own. */
const FIELD_OF = /** @type {Record<string, string>} */ ({
  phone_invalid: "phone",
  username_taken: "username",
  username_invalid: "username",
  username_reserved: "username",
  password_weak: "password",
  code_wrong: "code",
  code_expired: "code",
  pin_weak: "pin",
  pin_malformed: "pin",
  pin_wrong: "pin",
  name_invalid: "display_name",
});

/** @typedef {Record<string, string>} Values */
/** @typedef {ReturnType<typeof useForm>} FormState */

/**
 * @template {Values} V
 * @param {V} initial
 * @param {(values: V) => Promise<void>} send throws Problem
 * @param {object} [options]
 * @param {(values: V) => Partial<Record<keyof V, string | null>>} [options.check] words for what is
 *   missing or malformed, known before asking the server
 * @param {Record<string, string>} [options.fields] which field a problem's code belongs to
 */
export function useForm(initial, send, { check, fields = {} } = {}) {
  const [values, setValues] = useState(initial);
  const [errors, setErrors] = useState(/** @type {Partial<Record<string, string>>} */ ({}));
  const [problem, setProblem] = useState(/** @type {import("./problems.js").Problem | null} */ (null));
  const [busy, setBusy] = useState(false);
  const element = useRef(/** @type {HTMLFormElement | null} */ (null));

  /** @param {Partial<Record<string, string>>} found shows them and goes to the first */
  function refuse(found) {
    setErrors(found);
    requestAnimationFrame(() => {
      const first = element.current?.querySelector('[aria-invalid="true"]');
      if (first instanceof HTMLElement) first.focus();
    });
  }

  /** @param {keyof V & string} name @param {string} value */
  function set(name, value) {
    setValues((before) => ({ ...before, [name]: value }));
    setErrors((before) => ({ ...before, [name]: undefined }));
    setProblem(null);
  }

  /** @param {Event} [event] */
  async function submit(event) {
    event?.preventDefault();
    if (busy) return;
    const checked = /** @type {Record<string, string | null>} */ (check?.(values) ?? {});
    /** @type {Record<string, string>} */
    const missing = {};
    for (const [name, words] of Object.entries(checked)) if (words) missing[name] = words;
    setProblem(null);
    if (Object.keys(missing).length) return refuse(missing);
    setBusy(true);
    try {
      await send(values);
      setErrors({});
    } catch (error) {
      const refusal = asProblem(error);
      if (refusal.code === "cancelled") return;
      const own = { ...FIELD_OF, ...fields }[refusal.code];
      const told = Object.entries(refusal.fields).filter(([name]) => name in values);
      if (own && own in values) refuse({ [own]: wordsOf(refusal) });
      else if (told.length) refuse(Object.fromEntries(told));
      else setProblem(refusal);
    } finally {
      setBusy(false);
    }
  }

  return {
    values,
    errors,
    problem,
    busy,
    element,
    set,
    submit,
    refuse,
    reset: () => {
      setValues(initial);
      setErrors({});
      setProblem(null);
    },
    /** What a Field is given: `<${Field} ...${form.field("phone")} label=... />`. */
    field: (/** @type {keyof V & string} */ name) => ({
      name,
      value: values[name],
      error: errors[name],
      onInput: (/** @type {string} */ value) => set(name, value),
    }),
  };
}
