// /weigh/: the weighing round.
import { byId } from "./dom";
import { start } from "./screen";
import { Round } from "./weigh/screen";

void start(async ({ journal }) => {
  await new Round(byId("weigh"), journal, new URL(location.href)).start();
});
