// What was typed, or what a scale or a scanner typed: a number of grams, an animal, a cage.
import type { Known } from "./data";

const SCALE = /^(?:[A-Z][A-Z,:\s]*)?([+-]?)\s*(\d{1,6}(?:[.,]\d{0,6})?|[.,]\d{1,6})\s*(g|gr|grams?)?[A-Z,\s]*$/i;

/** Grams out of "23,4", "23.41 g" or a scale's line such as "ST,GS,+0023.41g"; undefined for anything else. */
export function gramsIn(text: string): number | undefined {
  const found = SCALE.exec(text.trim());
  if (!found || !found[2] || (found[3] === undefined && /[a-z]/i.test(text))) return undefined;
  const value = Number(found[2].replace(",", "."));
  return Number.isFinite(value) ? (found[1] === "-" ? -value : value) : undefined;
}

export interface Meant {
  animal?: Known;
  cage?: string;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/**
 * Whom a code means: the address of an animal's page, its id, its name, or a cage's ("cage:12", "12", an address with ?cage=).
 * A name that several labs have, and one that nobody has, mean nothing.
 */
export function meant(code: string, known: Known[], lab = ""): Meant | undefined {
  const text = code.trim();
  const id = UUID.exec(text)?.[0]?.toLowerCase();
  const byId = id && known.find((one) => one.id === id);
  if (byId) return { animal: byId };
  const cageOf = /(?:^cage[:\s]\s*|[?&]cage=)([^&#]+)/i.exec(text)?.[1];
  if (cageOf) return { cage: decoded(cageOf) };
  const name = text.replace(/^(animal|mouse|subject)[:\s]\s*/i, "").toLowerCase();
  const named = known.filter((one) => one.nickname.toLowerCase() === name && (!lab || one.lab === lab));
  if (named.length === 1) return { animal: named[0]! };
  const housed = known.find((one) => one.cage !== "" && one.cage.toLowerCase() === name);
  return housed ? { cage: housed.cage } : undefined;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " ")).trim();
  } catch {
    return text.trim();
  }
}
