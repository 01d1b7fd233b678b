import { describe, expect, test } from "vitest";
import { parseMigration, planMigrations } from "./migration-files.ts";

const first = parseMigration("durable", "0001_a.sql", "create table a ();");
const second = parseMigration("durable", "0002_b.sql", "create table b ();");
const other = parseMigration("build", "0001_c.sql", "create table c ();");
const breaking = parseMigration("build", "0002_d.sql", "-- breaking\ndrop table c;");

describe("planMigrations", () => {
  test("runs what is new, in the order given", () => {
    expect(planMigrations("build", [first, second, other], [first]).pending).toEqual([second, other]);
  });

  test("numbers count within a folder, so a new file of an earlier folder may follow a later folder's", () => {
    expect(planMigrations("build", [first, second, other], [first, other]).pending).toEqual([second]);
  });

  test("refuses a file that was changed after it was applied", () => {
    const changed = parseMigration("durable", "0001_a.sql", "create table a (x int);");
    expect(() => planMigrations("build", [changed], [first])).toThrow(/0001_a.sql was changed/);
  });

  test("refuses a file put before an applied one", () => {
    expect(() => planMigrations("build", [first, second], [second])).toThrow(/0001_a.sql comes before 0002_b.sql/);
  });

  test("goes on under a newer schema, unless the newer migration says that it breaks older programs", () => {
    expect(planMigrations("build", [first], [first, second]).unknown).toEqual([second]);
    expect(() => planMigrations("build", [first], [first, breaking])).toThrow(
      /0002_d.sql, which this program does not/,
    );
  });
});
