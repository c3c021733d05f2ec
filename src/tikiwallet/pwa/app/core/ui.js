// What a screen is written with: Preact, htm, hooks and signals under one roof.
import { h, htm } from "../vendor/ui.js";

export {
  Fragment,
  batch,
  computed,
  effect,
  render,
  signal,
  useCallback,
  useComputed,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useRef,
  useSignal,
  useState,
} from "../vendor/ui.js";

/** @typedef {import("preact").ComponentChildren} Children */
/** @typedef {import("preact").VNode<any>} Node */
/**
 * @template T
 * @typedef {import("@preact/signals").Signal<T>} Signal
 */

/** @type {(parts: TemplateStringsArray, ...values: any[]) => Node} */
export const html = /** @type {any} */ (htm.bind(/** @type {any} */ (h)));

/**
 * The words of a class attribute, without those that are empty.
 * @param {...(string | false | null | undefined)} names
 */
export const classes = (...names) => names.filter(Boolean).join(" ");
