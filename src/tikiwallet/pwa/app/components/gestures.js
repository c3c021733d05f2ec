// Touch gestures. Each only repeats what a button beside it does.
import { useEffect, useRef, useState } from "../core/ui.js";

const PULL_AT = 76; // px until letting go refreshes
const SWIPE_AT = 44;

/**
 * Pulling the page down at its top calls `refresh`. Draw `<div class="pull" ref=${bar} />` above all else.
 * @param {() => Promise<unknown>} refresh
 */
export function usePull(refresh) {
  const bar = useRef(/** @type {HTMLDivElement | null} */ (null));
  const act = useRef(refresh);
  act.current = refresh;
  useEffect(() => {
    /** @type {{ x: number, y: number } | null} */
    let start = null;
    let pulled = 0;
    const show = () => bar.current?.style.setProperty("--pulled", `${Math.min(pulled, PULL_AT)}`);
    /** @param {TouchEvent} event */
    const down = ({ touches }) => {
      const [touch] = touches;
      start = touch && touches.length === 1 && scrollY <= 0 ? { x: touch.clientX, y: touch.clientY } : null;
    };
    /** @param {TouchEvent} event */
    const move = ({ touches }) => {
      const [touch] = touches;
      if (!start || !touch) return;
      const across = Math.abs(touch.clientX - start.x);
      const along = touch.clientY - start.y;
      pulled = along > 0 && along > across && scrollY <= 0 ? along * 0.6 : 0;
      show();
    };
    const up = () => {
      const isEnough = start !== null && pulled >= PULL_AT;
      start = null;
      pulled = 0;
      show();
      if (isEnough) void act.current();
    };
    const quiet = { passive: true };
    addEventListener("touchstart", down, quiet);
    addEventListener("touchmove", move, quiet);
    addEventListener("touchend", up, quiet);
    addEventListener("touchcancel", up, quiet);
    return () => {
      removeEventListener("touchstart", down);
      removeEventListener("touchmove", move);
      removeEventListener("touchend", up);
      removeEventListener("touchcancel", up);
    };
  }, []);
  return bar;
}

/**
 * Whether something was swiped open, with what its element needs for that.
 * @returns {{ isOpen: boolean, setOpen: (is: boolean) => void, onTouchStart: (event: TouchEvent) => void,
 *   onTouchEnd: (event: TouchEvent) => void }}
 */
export function useSwipe() {
  const [isOpen, setOpen] = useState(false);
  const start = useRef({ x: 0, y: 0 });
  return {
    isOpen,
    setOpen,
    onTouchStart: ({ touches }) => {
      const [touch] = touches;
      if (touch) start.current = { x: touch.clientX, y: touch.clientY };
    },
    onTouchEnd: ({ changedTouches }) => {
      const [touch] = changedTouches;
      if (!touch) return;
      const across = (touch.clientX - start.current.x) * (document.dir === "rtl" ? -1 : 1);
      const along = Math.abs(touch.clientY - start.current.y);
      if (Math.abs(across) > SWIPE_AT && Math.abs(across) > along * 1.5) setOpen(across < 0);
    },
  };
}
