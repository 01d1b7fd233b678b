const longest = 300;
const podName = /^[a-z0-9][a-z0-9.-]*: /;

/**
 * Why a workload is not ready, in one sentence: how many of its pods, and what most of them have. `pods` is what each says, as `<pod>: <why>`; it is kept
 * beside the sentence for those who look closer. Pure.
 */
export function whyNotReady(pods: readonly string[], { ready, wanted }: { ready: number; wanted: number }): string {
  const missing = Math.max(1, wanted - ready);
  const count = `${missing} of ${wanted} pods ${missing === 1 ? "is" : "are"} not ready`;
  const [most] = [...Map.groupBy(pods, (pod) => oneLine(pod.replace(podName, "")))].sort(
    ([, a], [, b]) => b.length - a.length,
  );
  return most === undefined ? count : `${count}: ${most[0]}`;
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, " ").trim();
  return line.length <= longest ? line : `${line.slice(0, longest - 1)}…`;
}
