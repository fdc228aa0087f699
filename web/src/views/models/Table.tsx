import { Badge, Button, Checkbox, UnstyledButton } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconArrowDown, IconArrowUp } from "@tabler/icons-react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef } from "react";
import { Link } from "react-router";
import type { Model } from "../../api/models";
import { count, tokens } from "../../parts/figures";
import { Abilities, contextText, PricePer1M, priceText } from "../../parts/ModelFacts";
import classes from "./Models.module.css";
import { speedText } from "./speed";
import { type Change, MOST_COMPARED, type Sort, toggled, type Wanted } from "./wanted";

const ROW_PX = 60;
const NARROW_ROW_PX = 76;
const GROUP_PX = 36;

type Row = { group: string; many: number } | { model: Model };

interface Columns {
  label: string;
  sort: Sort | null;
  width: string;
}

const WIDE: readonly Columns[] = [
  { label: "Model", sort: "name", width: "auto" },
  { label: "In, per 1M", sort: "input", width: "96px" },
  { label: "Out, per 1M", sort: "output", width: "104px" },
  { label: "Context", sort: "context", width: "84px" },
  { label: "Max output", sort: null, width: "90px" },
  { label: "Speed here", sort: "speed", width: "110px" },
];

/** A thousand models at once: only those in sight are drawn. */
export function Table({
  models,
  wanted,
  change,
  chosen,
  use,
}: {
  models: readonly Model[];
  wanted: Wanted;
  change: (given: Change) => void;
  chosen: string | null;
  use: (model: Model) => void;
}) {
  const narrow = useMediaQuery("(max-width: 48em)") ?? false;
  const scroll = useRef<HTMLDivElement>(null);
  const rows = useMemo(() => rowsOf(models, wanted.flat), [models, wanted.flat]);
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroll.current,
    estimateSize: (at) => ("group" in (rows[at] as Row) ? GROUP_PX : narrow ? NARROW_ROW_PX : ROW_PX),
    overscan: 8,
  });
  const seen = virtual.getVirtualItems();
  const above = seen[0]?.start ?? 0;
  const below = virtual.getTotalSize() - (seen.at(-1)?.end ?? 0);
  const columns = narrow ? WIDE.slice(0, 1) : WIDE;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard
    <section ref={scroll} className={classes.scroll} tabIndex={0} aria-label="Models, a scrolling table">
      <table className={classes.table} aria-rowcount={rows.length + 1}>
        <caption className="hidden">Models with their prices in dollars per million tokens</caption>
        <Head columns={columns} wanted={wanted} change={change} />
        <tbody>
          {above > 0 && <Gap px={above} columns={columns.length + 2} />}
          {seen.map((item) => {
            const row = rows[item.index] as Row;
            return "group" in row ? (
              <tr key={item.key} aria-rowindex={item.index + 2} style={{ height: GROUP_PX }}>
                <th scope="colgroup" colSpan={columns.length + 2} className={classes.group}>
                  {row.group} <span className="quiet figures">{row.many}</span>
                </th>
              </tr>
            ) : (
              <ModelRow
                key={row.model.target}
                at={item.index + 2}
                model={row.model}
                narrow={narrow}
                wanted={wanted}
                change={change}
                chosen={row.model.target === chosen}
                use={use}
              />
            );
          })}
          {below > 0 && <Gap px={below} columns={columns.length + 2} />}
        </tbody>
      </table>
    </section>
  );
}

/** In the place of what is out of sight. */
function Gap({ px, columns }: { px: number; columns: number }) {
  return (
    <tr aria-hidden className={classes.gap} style={{ height: px }}>
      <td colSpan={columns} />
    </tr>
  );
}

function rowsOf(models: readonly Model[], flat: boolean): Row[] {
  if (flat) return models.map((model) => ({ model }));
  const sizes = new Map<string, number>();
  for (const { providerName } of models) sizes.set(providerName, (sizes.get(providerName) ?? 0) + 1);
  const found: Row[] = [];
  let group: string | null = null;
  for (const model of models) {
    if (model.providerName !== group) {
      group = model.providerName;
      found.push({ group, many: sizes.get(group) ?? 0 });
    }
    found.push({ model });
  }
  return found;
}

function Head({
  columns,
  wanted,
  change,
}: {
  columns: readonly Columns[];
  wanted: Wanted;
  change: (given: Change) => void;
}) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        <th scope="col" style={{ width: 44 }}>
          <span className="hidden">Compare</span>
        </th>
        {columns.map(({ label, sort, width }) => {
          const here = sort === wanted.sort;
          const order = wanted.down ? "descending" : "ascending";
          return (
            <th
              key={label}
              scope="col"
              style={{ width }}
              className={label === "Model" ? undefined : classes.figure}
              aria-sort={sort === null ? undefined : here ? order : "none"}
            >
              {sort === null ? (
                label
              ) : (
                <UnstyledButton
                  className={classes.sort}
                  onClick={() => change((now) => ({ sort, down: now.sort === sort && !now.down }))}
                >
                  {label}
                  {here &&
                    (wanted.down ? <IconArrowDown size={14} aria-hidden /> : <IconArrowUp size={14} aria-hidden />)}
                </UnstyledButton>
              )}
            </th>
          );
        })}
        <th scope="col" style={{ width: 92 }}>
          <span className="hidden">Use</span>
        </th>
      </tr>
    </thead>
  );
}

function ModelRow({
  at,
  model,
  narrow,
  wanted,
  change,
  chosen,
  use,
}: {
  at: number;
  model: Model;
  narrow: boolean;
  wanted: Wanted;
  change: (given: Change) => void;
  chosen: boolean;
  use: (model: Model) => void;
}) {
  const compared = wanted.compared.includes(model.target);
  const toggle = () => change((now) => ({ compared: toggled(now.compared, model.target).slice(0, MOST_COMPARED) }));
  return (
    <tr className={classes.row} aria-rowindex={at}>
      <td>
        <Checkbox
          checked={compared}
          disabled={!compared && wanted.compared.length >= MOST_COMPARED}
          onChange={toggle}
          aria-label={`Compare ${model.target}`}
        />
      </td>
      <th scope="row">
        <span className={classes.id} title={model.target}>
          {model.id}
        </span>
        <span className={classes.more}>
          {wanted.flat && <span>{model.providerName}</span>}
          {narrow && (
            <span className="figures">
              {priceText(model)} · {contextText(model)}
            </span>
          )}
          {!narrow && <Marks model={model} chosen={chosen} />}
        </span>
        {narrow && (
          <span className={classes.more}>
            <Marks model={model} chosen={chosen} />
          </span>
        )}
      </th>
      {!narrow && <Figures model={model} />}
      <td className={classes.figure}>
        <Use model={model} chosen={chosen} use={use} />
      </td>
    </tr>
  );
}

function Marks({ model, chosen }: { model: Model; chosen: boolean }) {
  return (
    <>
      {chosen && (
        <Badge size="sm" tt="none">
          Your default
        </Badge>
      )}
      {!chosen && model.providersDefault && (
        <Badge size="sm" tt="none" variant="outline">
          Default
        </Badge>
      )}
      {model.retired && <span>retired</span>}
      <Abilities does={model.does} />
    </>
  );
}

function Figures({ model }: { model: Model }) {
  return (
    <>
      <td className={classes.figure}>
        <PricePer1M nanoUsd={model.price?.input} model={model} />
      </td>
      <td className={classes.figure}>
        <PricePer1M nanoUsd={model.price?.output} model={model} />
      </td>
      <td className={classes.figure}>
        <Size tokens={model.context} />
      </td>
      <td className={classes.figure}>
        <Size tokens={model.maxOutput} />
      </td>
      <td className={classes.figure}>{speedText(model) ?? <span className="quiet">–</span>}</td>
    </>
  );
}

function Size({ tokens: size }: { tokens: number | null }) {
  if (size === null) return <span className="quiet">–</span>;
  return <span title={`${count(size)} tokens`}>{tokens(size)}</span>;
}

function Use({ model, chosen, use }: { model: Model; chosen: boolean; use: (model: Model) => void }) {
  if (chosen) return <span className="quiet">In use</span>;
  if (model.lack !== null) {
    return (
      <Button
        component={Link}
        to={`/settings/byok/${encodeURIComponent(model.provider)}`}
        size="compact-sm"
        variant="subtle"
        aria-label={`Connect ${model.providerName} for ${model.id}`}
      >
        Connect
      </Button>
    );
  }
  return (
    <Button size="compact-sm" variant="default" onClick={() => use(model)} aria-label={`Use ${model.target}`}>
      Use
    </Button>
  );
}
