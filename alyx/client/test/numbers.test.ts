import assert from "node:assert/strict";
import { test } from "node:test";
import { parseNumber } from "../src/numbers";

test("numbers as people type them", () => {
  const cases: [string, number][] = [
    ["23.4", 23.4],
    ["23,4", 23.4],
    [" 23,4 ", 23.4],
    ["0,05", 0.05],
    [",5", 0.5],
    [".5", 0.5],
    ["7", 7],
    ["7,", 7],
    ["-3,7", -3.7],
    ["\u22123.7", -3.7],
    ["+2", 2],
    ["\u00a023,4", 23.4],
  ];
  for (const [text, value] of cases) assert.equal(parseNumber(text).value, value, text);
});

test("what is unclear is asked, never guessed", () => {
  for (const text of ["", " ", "x", "2 3", "1.2.3", "1,2,3", "--1", "1e3", "0x10", "Infinity", "NaN", "٣"]) {
    const said = parseNumber(text);
    assert.equal(said.value, undefined, text);
    assert.ok(said.reason);
  }
  assert.match(parseNumber("1.234,5").reason ?? "", /two ways/);
  assert.match(parseNumber("23,4 g").reason ?? "", /without “g”/);
});

test("a point or comma with three digits is a decimal", () => {
  assert.equal(parseNumber("23.456").value, 23.456);
  assert.equal(parseNumber("1,234").value, 1.234);
});
