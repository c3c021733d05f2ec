// What a screen shows of the server: at once from the cache, with its age, then fresh.
import { asProblem } from "./problems.js";
import { signedIn } from "./session.js";
import { recall, remember } from "./storage.js";
import { batch, signal, useEffect } from "./ui.js";

/** @typedef {import("./problems.js").Problem} Problem */

/**
 * @template T
 * @typedef {object} Resource
 * @property {import("./ui.js").Signal<T | undefined>} data
 * @property {import("./ui.js").Signal<number | undefined>} at when `data` was true, in milliseconds
 * @property {import("./ui.js").Signal<boolean>} loading
 * @property {import("./ui.js").Signal<Problem | null>} problem why the last load failed
 * @property {() => Promise<void>} refresh loads; calls meanwhile share one load
 * @property {(data: T) => void} set puts what an answer already told
 */

/** @type {Set<{ clear(): void }>} */
const all = new Set();

/**
 * @template T
 * @param {string} name of the cache entry, unique in the app
 * @param {() => Promise<T>} load throws Problem
 * @returns {Resource<T>}
 */
export function createResource(name, load) {
  const data = signal(/** @type {T | undefined} */ (undefined));
  const at = signal(/** @type {number | undefined} */ (undefined));
  const loading = signal(false);
  const problem = signal(/** @type {Problem | null} */ (null));
  let generation = 0;
  /** @type {Promise<void> | undefined} */
  let underWay;

  /** @param {T} fresh */
  function set(fresh) {
    batch(() => {
      data.value = fresh;
      at.value = Date.now();
      problem.value = null;
    });
    void remember(name, fresh);
  }

  async function run() {
    const mine = generation;
    loading.value = true;
    if (data.value === undefined) {
      void recall(name).then((seen) => {
        if (!seen || data.value !== undefined || mine !== generation) return;
        batch(() => {
          data.value = seen.data;
          at.value = seen.at;
        });
      });
    }
    try {
      const fresh = await load();
      if (mine === generation) set(fresh);
    } catch (error) {
      if (mine === generation) problem.value = asProblem(error);
    } finally {
      loading.value = false;
      underWay = undefined;
    }
  }

  const resource = {
    data,
    at,
    loading,
    problem,
    set,
    refresh: () => (underWay ??= run()),
    /** Forgets the person's data when they leave; what is under way is dropped too. */
    clear() {
      generation += 1;
      underWay = undefined;
      batch(() => {
        data.value = undefined;
        at.value = undefined;
        problem.value = null;
      });
    },
  };
  all.add(resource);
  return resource;
}

signedIn.subscribe((is) => {
  if (!is) for (const one of all) one.clear();
});

/**
 * Shows a resource: loads it now, when the network comes back and when the page is looked at again.
 * @template T
 * @param {Resource<T>} resource
 */
export function useResource(resource) {
  useEffect(() => {
    const refresh = () => void resource.refresh();
    const looked = () => document.visibilityState === "visible" && refresh();
    refresh();
    addEventListener("online", refresh);
    document.addEventListener("visibilitychange", looked);
    return () => {
      removeEventListener("online", refresh);
      document.removeEventListener("visibilitychange", looked);
    };
  }, [resource]);
  return resource;
}
