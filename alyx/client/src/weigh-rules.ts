// The arithmetic by itself, for the test that compares it with the server's.
export { weightIsAbsurd, weightJumps } from "./weigh/plausible";
export { gramsIn, meant } from "./weigh/reading";
export { judge, withWater, withWeight } from "./weigh/rules";
