import { Agent, type IncomingMessage, request } from "node:http";

const connections = 4;

export type Asked = {
  /** Statuses, in the order of the answers. */
  readonly answers: readonly number[];
  /** `sent on`: each connection ended with an answer that said so; else what became of a request that was sent. */
  readonly done: Promise<string>;
};

/** Asks for this without a pause, over a few connections that are kept, until the one who answers ends them. */
export function askedAllTheTime(url: string, token: string): Asked {
  const answers: number[] = [];
  const callers = Array.from({ length: connections }, async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      for (;;) {
        const answer = await answerTo(url, token, agent);
        answers.push(answer.statusCode ?? 0);
        if (answer.headers.connection === "close") return "sent on";
      }
    } catch (error) {
      return String(error);
    } finally {
      agent.destroy();
    }
  });
  const done = Promise.all(callers).then((ends) => [...new Set(ends)].sort().join("; "));
  return { answers, done };
}

function answerTo(url: string, token: string, agent: Agent): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const headers = { authorization: `Bearer ${token}` };
    const asked = request(url, { agent, headers }, (answer) => {
      answer.resume();
      answer.once("end", () => resolve(answer));
      answer.once("error", reject);
    });
    asked.once("error", reject);
    asked.end();
  });
}
