import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";

/** By the number of a request: the oldest and the newest version that the broker speaks. */
export type ScriptedVersions = Readonly<Record<number, readonly [min: number, max: number]>>;

export type ScriptedKafka = { readonly port: number; stop(): Promise<void> };

/** What Kafka 0.10.0 said of itself. */
export const kafka010: ScriptedVersions = {
  ...{ 0: [0, 2], 1: [0, 2], 2: [0, 0], 3: [0, 1], 8: [0, 2], 9: [0, 1], 10: [0, 0], 11: [0, 0], 12: [0, 0] },
  ...{ 13: [0, 0], 14: [0, 0], 15: [0, 0], 16: [0, 0], 17: [0, 0], 18: [0, 0] },
};

const [metadata, apiVersions] = [3, 18];
const unsupportedVersion = 35;

/** A broker that tells which requests it speaks, in which versions, and that it is all there is of its cluster. It hangs up at anything else, as an old one does. */
export async function startScriptedKafka(versions: ScriptedVersions): Promise<ScriptedKafka> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let rest: Buffer = Buffer.alloc(0);
    socket
      .on("error", () => undefined)
      .on("data", (chunk) => {
        rest = Buffer.concat([rest, chunk]);
        while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE()) {
          const end = 4 + rest.readInt32BE();
          const body = answerTo(rest.subarray(4, end), versions, portOf());
          if (body === undefined) socket.destroy();
          else socket.write(Buffer.concat([int32(body.length + 4), rest.subarray(8, 12), body]));
          rest = rest.subarray(end);
        }
      });
  }).listen(0, "127.0.0.1");
  const portOf = () => (server.address() as AddressInfo).port;
  await once(server, "listening");
  return {
    port: portOf(),
    async stop() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, "close");
    },
  };
}

function answerTo(request: Buffer, versions: ScriptedVersions, port: number): Buffer | undefined {
  const [key, version] = [request.readInt16BE(0), request.readInt16BE(2)];
  const [min, max] = versions[key] ?? [0, -1];
  const spoken = version >= min && version <= max;
  // Only this one is answered in a version that is not known: so a client finds the one to ask in.
  if (key === apiVersions) {
    const list = Object.entries(versions).map(([own, pair]) => Buffer.concat([own, ...pair].map(Number).map(int16)));
    const throttle = spoken && version > 0 ? [int32(0)] : [];
    return Buffer.concat([int16(spoken ? 0 : unsupportedVersion), int32(list.length), ...list, ...throttle]);
  }
  if (key !== metadata || !spoken || version > 1) return undefined;
  const broker = [int32(1), text("127.0.0.1"), int32(port), ...(version > 0 ? [int16(-1)] : [])];
  return Buffer.concat([int32(1), ...broker, ...(version > 0 ? [int32(1)] : []), int32(0)]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([int16(Buffer.byteLength(value)), Buffer.from(value)]);
}
