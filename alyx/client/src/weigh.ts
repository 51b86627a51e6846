// /weigh/: the weighing round.
import { byId } from "./dom";
import { onScan } from "./scan";
import { start } from "./screen";
import { Round } from "./weigh/screen";

void start(async ({ journal }) => {
  const round = new Round(byId("weigh"), journal, new URL(location.href));
  onScan((code) => round.typedFast(code));
  await round.start();
});
