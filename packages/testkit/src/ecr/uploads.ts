import type { IncomingMessage, ServerResponse } from "node:http";
import { askBehind, type Behind, bytesOf, handOn, refuse } from "./behind.ts";

const minPartBytes = 5 * 1024 * 1024;

type Upload = { firstEnd: number | undefined; readonly parts: number[] };

/** Uploads as ECR takes them, by their path. */
export class EcrUploads {
  readonly #behind: Behind;
  readonly #open = new Map<string, Upload>();

  constructor(behind: Behind) {
    this.#behind = behind;
  }

  /** Blobs of other repositories are mounted only where the account has asked for it: the upload begins as if nobody had said so. */
  async begin(path: string, response: ServerResponse): Promise<void> {
    const answer = await askBehind(this.#behind, { method: "POST", path, headers: { "content-length": "0" } });
    await handOn(answer, response);
  }

  async goOn(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const asked = { method: request.method ?? "GET", path: `${url.pathname}${url.search}`, headers: request.headers };
    const upload = this.#open.get(url.pathname) ?? { firstEnd: undefined, parts: [] };
    this.#open.set(url.pathname, upload);
    if (request.method === "GET") return this.#tell(await askBehind(this.#behind, asked), response, upload);
    if (request.method === "PATCH") {
      const [from, end] = (request.headers["content-range"] ?? "").split("-").map(Number);
      const there = await this.#size(asked.path);
      if (from !== there) {
        return refuse(response, 416, "BLOB_UPLOAD_INVALID", `the part begins at ${from}, ${there} bytes were received`);
      }
      // A part is there whole or not at all.
      const answer = await askBehind(this.#behind, { ...asked, body: await bytesOf(request) });
      if (answer.statusCode !== 202) return handOn(answer, response);
      upload.firstEnd ??= end;
      upload.parts.push((end ?? 0) - (from ?? 0) + 1);
      // Not 202, as for others.
      return this.#tell(answer, response, upload, 201);
    }
    return this.#finish(request, response, asked, upload);
  }

  async #finish(
    request: IncomingMessage,
    response: ServerResponse,
    asked: Parameters<typeof askBehind>[1],
    upload: Upload,
  ): Promise<void> {
    if (upload.parts.slice(0, -1).some((size) => size < minPartBytes)) {
      return refuse(response, 400, "BLOB_UPLOAD_INVALID", "Layer parts must be at least 5 MiB in size");
    }
    const answer = await askBehind(this.#behind, { ...asked, body: request });
    if (answer.statusCode !== 400) return handOn(answer, response);
    const text = (await bytesOf(answer)).toString("utf8");
    const wrong = "None of the provided layer digests match the calculated layer digest";
    refuse(response, 400, "BLOB_UPLOAD_INVALID", text.includes("DIGEST_INVALID") ? wrong : text);
  }

  /** How far the upload is: always the end of its first part, whatever came since. */
  #tell(answer: IncomingMessage, response: ServerResponse, { firstEnd }: Upload, status?: number): Promise<void> {
    const range = firstEnd === undefined ? {} : { range: `0-${firstEnd}` };
    return handOn(answer, response, { headers: range, ...(status === undefined ? {} : { status }) });
  }

  async #size(path: string): Promise<number> {
    const answer = await askBehind(this.#behind, { method: "GET", path });
    answer.resume();
    const end = Number(/^0-(\d+)$/.exec(answer.headers.range ?? "")?.[1] ?? 0);
    return end === 0 ? 0 : end + 1;
  }
}
