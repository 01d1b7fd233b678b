/** Loaded before the program of a process whose clock is to be off: see `shiftedClock`. */
const [word = "", ms = "0"] = (process.env.SLIPWAY_TEST_CLOCK ?? "").split("=");

if (word === "" || process.argv.includes(word)) {
  const now = () => RealDate.now() + Number(ms);
  const RealDate = Date;
  globalThis.Date = new Proxy(RealDate, {
    construct: (target, args, as) => Reflect.construct(target, args.length === 0 ? [now()] : args, as),
    apply: () => new RealDate(now()).toString(),
    get: (target, name) => (name === "now" ? now : Reflect.get(target, name)),
  });
}
