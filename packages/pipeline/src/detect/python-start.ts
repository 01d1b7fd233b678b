import { type Found, isUndetected, type Undetected } from "./found.ts";
import { isTest, type RepositoryView } from "./repository-view.ts";
import { type Callers, type Start, startOf } from "./start.ts";

export type PythonStart = Start & { readonly found: Found; readonly note?: string };

const filler =
  "import os, sys; words = [os.path.expandvars(word) for word in sys.argv[1:]]; os.execvp(words[0], words)";
const fillIn = (words: readonly string[]): readonly string[] => ["python3", "-c", filler, ...words];

/** Programs that are modules: pip's own scripts begin with the path of the Python that built them. */
const modules = new Map([
  ...["gunicorn", "uvicorn", "hypercorn", "daphne", "flask", "fastapi", "granian", "streamlit", "celery"].map(
    (name) => [name, name] as const,
  ),
  ["waitress-serve", "waitress"],
]);

const callers: Callers = {
  base: "python3",
  fillIn,
  call: ([program = "", ...words]) => {
    if (/^python3?(\.\d+)?$/.test(program)) return ["python3", ...words];
    const module = modules.get(program.replace(/^.*\//, ""));
    if (module === undefined) return undefined;
    return ["python3", "-m", module, ...words];
  },
};

type Kind = "wsgi" | "asgi";
type App = { readonly file: string; readonly target: string; readonly made: string; readonly kind: Kind };

const makers: Readonly<Record<string, Kind>> = {
  ...{ Flask: "wsgi", Bottle: "wsgi", FastAPI: "asgi", Starlette: "asgi", Quart: "asgi", Litestar: "asgi" },
};

/** How a Python service starts; undefined where no file looks like one. `listed` names its packages, and modules in `source` go without its name. */
export function pythonStart(
  view: RepositoryView,
  { listed, source }: { readonly listed: string; readonly source: string | undefined },
  web: string | undefined,
): PythonStart | Undetected | undefined {
  if (web !== undefined) {
    const start = startOf(web, "Procfile web:", callers);
    return isUndetected(start) ? start : { ...start, found: { what: "start", value: web, why: "Procfile web:" } };
  }
  const has = (name: string) => new RegExp(`(^|["'\\s])${name}\\b`, "im").test(listed);
  const django = view.paths.find((path) => /^([^/]+\/)?[^/]+\/wsgi\.py$/.test(path));
  const app =
    view.paths.includes("manage.py") && django !== undefined ? djangoApp(django, source) : findApp(view, source);
  if (app === undefined) return plainProgram(view);
  const why = `${app.file} has ${app.made}`;
  const started = serverFor(app, has);
  return {
    command: started.command,
    env: {},
    found: { what: "start", value: started.shown, why },
    ...noteOf(started.note),
  };
}

function noteOf(note: string | undefined): { note?: string } {
  return note === undefined ? {} : { note };
}

/** The dotted name under which Python finds a file. */
function moduleOf(file: string, source: string | undefined): string {
  const path = source !== undefined && file.startsWith(`${source}/`) ? file.slice(source.length + 1) : file;
  return path.replace(/(\/__init__)?\.py$/, "").replaceAll("/", ".");
}

function djangoApp(file: string, source: string | undefined): App {
  return { file, target: `${moduleOf(file, source)}:application`, made: "Django's WSGI application", kind: "wsgi" };
}

/** The first file, nearest to the top, that makes an application under a name. */
function findApp(view: RepositoryView, source: string | undefined): App | undefined {
  const files = view.paths.filter((path) => path.endsWith(".py") && !isTest(path) && path.split("/").length <= 3);
  const nearest = [...files].sort((a, b) => a.split("/").length - b.split("/").length || rank(a) - rank(b));
  const names = Object.keys(makers).join("|");
  for (const file of nearest) {
    const text = view.texts[file] ?? "";
    const module = moduleOf(file, source);
    const made = new RegExp(`^(\\w+)(?:\\s*:\\s*\\w+)?\\s*=\\s*(?:\\w+\\.)?(${names})\\(`, "m").exec(text);
    if (made !== null) {
      const maker = made[2] ?? "";
      return { file, target: `${module}:${made[1]}`, made: `${made[1]} = ${maker}(…)`, kind: makers[maker] ?? "wsgi" };
    }
    if (/^def create_app\(/m.test(text) && /\bFlask\(/.test(text)) {
      return { file, target: `${module}:create_app()`, made: "create_app()", kind: "wsgi" };
    }
  }
  return undefined;
}

const usual = ["wsgi.py", "asgi.py", "app.py", "main.py", "server.py"];

function rank(path: string): number {
  const at = usual.indexOf(path.slice(path.lastIndexOf("/") + 1));
  return at === -1 ? usual.length : at;
}

type Started = { readonly command: readonly string[]; readonly shown: string; readonly note?: string };

/** The server that the service lists itself; else what its framework brings. Gunicorn reads $PORT by itself. */
function serverFor({ target, kind, made }: App, has: (name: string) => boolean): Started {
  if (kind === "asgi" && has("uvicorn|fastapi\\[standard\\]")) {
    const words = ["python3", "-m", "uvicorn", target, "--host", "0.0.0.0", "--port", "$PORT"];
    return { command: fillIn(words), shown: words.slice(2).join(" ") };
  }
  if (kind === "asgi" && has("hypercorn")) {
    const words = ["python3", "-m", "hypercorn", target, "--bind", "0.0.0.0:$PORT"];
    return { command: fillIn(words), shown: words.slice(2).join(" ") };
  }
  if (has("gunicorn")) return { command: ["python3", "-m", "gunicorn", target], shown: `gunicorn ${target}` };
  if (has("waitress")) {
    const words = ["python3", "-m", "waitress", "--port=$PORT", target];
    return { command: fillIn(words), shown: words.slice(2).join(" ") };
  }
  const note = `${made} is served by its development server. List ${kind === "asgi" ? "uvicorn" : "gunicorn"} among the packages to be fit for production.`;
  if (made.startsWith("Django")) {
    const words = ["python3", "manage.py", "runserver", "--noreload", "0.0.0.0:$PORT"];
    return { command: fillIn(words), shown: words.slice(1).join(" "), note };
  }
  const words = ["python3", "-m", ...(kind === "asgi" ? ["uvicorn", target] : ["flask", "--app", target, "run"])];
  return { command: fillIn([...words, "--host", "0.0.0.0", "--port", "$PORT"]), shown: words.slice(2).join(" "), note };
}

/** A file that runs as a program and mentions $PORT: whatever it is, it means to listen. */
function plainProgram(view: RepositoryView): PythonStart | undefined {
  const file = ["server.py", "main.py", "app.py"].find((path) => /["']PORT["']/.test(view.texts[path] ?? ""));
  if (file === undefined) return undefined;
  return {
    command: ["python3", file],
    env: {},
    found: { what: "start", value: `python3 ${file}`, why: `${file} reads PORT` },
  };
}
