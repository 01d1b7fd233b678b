// A reporter for vitest: keeps in the file that SLIPWAY_TEST_PROGRESS names what runs now and how the others ended, so that a run that has to be cut off can
// say which file hung, and at what.
import { renameSync, writeFileSync } from "node:fs";

export default class ProgressReporter {
  progress = { running: {}, passed: 0, failed: 0, skipped: 0 };

  onTestModuleQueued({ moduleId }) {
    this.progress.running[moduleId] = { since: Date.now(), at: "being loaded" };
    this.write();
  }

  onTestModuleStart({ moduleId }) {
    this.now(moduleId, "between its tests");
  }

  onTestCaseReady({ module, fullName }) {
    this.now(module.moduleId, `in the test "${fullName}"`);
  }

  onHookStart({ name, entity }) {
    const { moduleId } = entity.type === "module" ? entity : entity.module;
    this.now(moduleId, entity.type === "module" ? `in ${name}` : `in ${name} of "${entity.fullName}"`);
  }

  onTestCaseResult(test) {
    this.progress[test.result().state] += 1;
  }

  onTestModuleEnd({ moduleId }) {
    delete this.progress.running[moduleId];
    this.write();
  }

  now(moduleId, at) {
    const own = this.progress.running[moduleId];
    if (own === undefined) return;
    own.at = at;
    this.write();
  }

  /** Whole or not at all: it is read while it is written. */
  write() {
    const file = process.env.SLIPWAY_TEST_PROGRESS;
    writeFileSync(`${file}.new`, JSON.stringify(this.progress));
    renameSync(`${file}.new`, file);
  }
}
