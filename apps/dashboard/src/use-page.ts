import type { PageView } from "@slipway/contracts";
import { useEffect, useState } from "react";

export type Live = {
  readonly view: PageView | undefined;
  /** Since when nothing has been heard of the platform; undefined while it is heard. */
  readonly lostSince: Date | undefined;
};

/** The platform says something each second. */
const silenceMs = 4_000;
const reconnectMs = 1_000;

/** The platform's view as it changes. Comes back by itself after a broken connection; `onRefused` when the session no longer counts. */
export function usePage(onRefused: () => void): Live {
  const [live, setLive] = useState<Live>({ view: undefined, lostSince: undefined });
  useEffect(() => {
    const lost = () => setLive((now) => ({ ...now, lostSince: now.lostSince ?? new Date() }));
    return listen((view) => setLive({ view, lostSince: undefined }), lost, onRefused);
  }, [onRefused]);
  return live;
}

function listen(onView: (view: PageView) => void, onLost: () => void, onRefused: () => void): () => void {
  let source: EventSource | undefined;
  let silence: ReturnType<typeof setTimeout> | undefined;
  let again: ReturnType<typeof setTimeout> | undefined;

  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(broken, silenceMs);
  };
  const broken = () => {
    onLost();
    source?.close();
    clearTimeout(silence);
    again = setTimeout(reopen, reconnectMs);
  };
  // A browser gives no status of a stream that was refused: the session says whether it was.
  const reopen = async () => {
    const answer = await fetch("/page/session").catch(() => undefined);
    if (answer?.status === 401 || answer?.status === 403) onRefused();
    else open();
  };
  const open = () => {
    source = new EventSource("/page/events");
    source.addEventListener("view", (event) => {
      heard();
      onView(JSON.parse((event as MessageEvent<string>).data) as PageView);
    });
    source.onerror = broken;
    heard();
  };
  open();
  return () => {
    source?.close();
    clearTimeout(silence);
    clearTimeout(again);
  };
}
