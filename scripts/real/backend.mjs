// Whether the servers of a run are processes or containers (TEST_BACKEND): containers where an engine answers or where they are asked for, else
// processes. Where none answers the run has an engine of its own, in its own network and with nothing of the machine's but the run's folder.
import { existsSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { leash } from "../check/processes.mjs";

const usual = "unix:///var/run/docker.sock";
export const backends = ["containers", "processes"];

/** `engine`: the address of one that answers; undefined where the run has to bring its own, or needs none. */
export async function chooseBackend(env = process.env, answers = engineAnswers) {
  const wanted = env.TEST_BACKEND || undefined;
  if (wanted !== undefined && !backends.includes(wanted)) {
    throw new Error(`TEST_BACKEND is ${backends.join(" or ")}, not ${wanted}`);
  }
  if (wanted === "processes") return { backend: "processes" };
  const engine = env.DOCKER_HOST || usual;
  if (await answers(engine)) return { backend: "containers", engine };
  return { backend: wanted ?? "processes" };
}

/** True where an engine answers its ping. */
export async function engineAnswers(address) {
  return (await ask(address, "/_ping"))?.status === 200;
}

/** Whether the engine has the image of testcontainers' reaper, which it would have to pull else. */
export async function engineHasReaper(address) {
  const answer = await ask(address, "/images/json");
  const images = answer?.status === 200 ? JSON.parse(answer.text) : [];
  return images.some(({ RepoTags }) => RepoTags?.some((tag) => tag.startsWith("testcontainers/ryuk")));
}

/** What an engine answers; undefined where none does. */
function ask(address, path) {
  const { protocol, hostname, port, pathname } = new URL(address);
  if (protocol === "unix:" && !existsSync(pathname)) return undefined;
  const where = protocol === "unix:" ? { socketPath: pathname } : { hostname, port: port || 2375 };
  return new Promise((resolve) => {
    const asked = request({ ...where, path, timeout: 2_000 }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece) => {
        text += piece;
      });
      answer.once("end", () => resolve({ status: answer.statusCode, text }));
    });
    asked.once("timeout", () => asked.destroy());
    asked.once("error", () => resolve(undefined));
    asked.end();
  });
}

/** The program and arguments before a command that run it beside an engine of its own. */
export function ownEngine(docker, folder) {
  const withEngine = fileURLToPath(new URL("with-engine.mjs", import.meta.url));
  const at = join(folder, "engine");
  return {
    through: [...leash, process.execPath, withEngine, at, docker.program, ...Object.values(docker.also), "--"],
    engine: `unix://${join(at, "docker.sock")}`,
  };
}
