import { labelText } from "./labels.ts";

type Version = { readonly service: string; readonly namespace: string; readonly version: string };

const name = "slipway_mesh_requests_total";

/** The answers of each version by code, whatever pod gave them. These lines stay: versions are few. */
export class Totals {
  readonly #versions = new Map<string, Map<number, number>>();

  /** By code, to be counted up by whoever observes answers of this version. */
  of({ service, namespace, version }: Version): Map<number, number> {
    const labels = labelText({ service, namespace, version });
    const codes = this.#versions.get(labels) ?? new Map<number, number>();
    this.#versions.set(labels, codes);
    return codes;
  }

  lines(): string[] {
    const counts = [...this.#versions].flatMap(([labels, codes]) =>
      [...codes].map(([code, count]) => `${name}{${labels},response_code="${code}"} ${count}`),
    );
    return [`# TYPE ${name} counter`, ...counts];
  }
}
