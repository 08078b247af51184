// Reads a JSON list of [language, query] on standard input and prints those that their grammar does not take.
import { parser as logql } from "@grafana/lezer-logql";
import { parser as traceql } from "@grafana/lezer-traceql";
import { parser as promql } from "@prometheus-io/lezer-promql";
import { readFileSync } from "node:fs";

const parsers = { loki: logql, tempo: traceql, prometheus: promql };

const wrong = ([language, query]) => {
  let found = false;
  parsers[language].parse(query).iterate({
    enter: (node) => {
      found ||= node.type.isError;
    },
  });
  return found;
};

const asked = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(asked.filter(wrong)));
