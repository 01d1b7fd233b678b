import { escaped } from "./label-value.ts";

type Answer = { readonly service: string; readonly namespace: string; readonly version: string; readonly code: number };

const name = "slipway_mesh_requests_total";

/** The answers of each version by code, whatever pod gave them. These lines stay: versions are few. */
export class Totals {
  readonly #counts = new Map<string, number>();

  count({ service, namespace, version, code }: Answer): void {
    const labels = Object.entries({ service, namespace, version, response_code: String(code) });
    const line = `${name}{${labels.map(([label, value]) => `${label}="${escaped(value)}"`).join(",")}}`;
    this.#counts.set(line, (this.#counts.get(line) ?? 0) + 1);
  }

  lines(): string[] {
    return [`# TYPE ${name} counter`, ...[...this.#counts].map(([line, count]) => `${line} ${count}`)];
  }
}
