import { useId } from "react";
import { colourOf } from "../theme";
import classes from "./Bars.module.css";

export interface Bar {
  label: string;
  /** What it is made of, by name; drawn from below in this order. */
  parts: Readonly<Record<string, number>>;
}

const WIDTH = 720;
const FOOT = 18;

/** Stacked bars over time, drawn as they are; `said` writes an amount, `limit` is a line. The same figures stand in a
 * table for those who do not see them. */
export function Bars({
  title,
  bars,
  said,
  limit,
  height = 180,
}: {
  title: string;
  bars: readonly Bar[];
  said: (value: number) => string;
  limit?: number | null;
  height?: number;
}) {
  const id = useId();
  const names = [...new Set(bars.flatMap((bar) => Object.keys(bar.parts)))];
  const sums = bars.map((bar) => Object.values(bar.parts).reduce((sum, part) => sum + part, 0));
  const top = Math.max(...sums, 1e-9);
  const shown = limit && limit <= top * 3 ? Math.max(top, limit) : top;
  const scale = (height - FOOT - 14) / shown;
  const step = WIDTH / Math.max(bars.length, 1);
  const every = Math.ceil(bars.length / 8);
  return (
    <figure className={classes.figure} aria-labelledby={id}>
      <figcaption id={id} className="hidden">
        {title}
      </figcaption>
      <span className={classes.top} aria-hidden>
        {said(shown)}
      </span>
      <svg viewBox={`0 0 ${WIDTH} ${height}`} aria-hidden className={classes.chart} preserveAspectRatio="none">
        {bars.map((bar, at) => {
          let from = height - FOOT;
          return (
            <g key={bar.label}>
              <title>{`${bar.label}: ${said(sums[at] ?? 0)}`}</title>
              <rect x={at * step} y={0} width={step} height={height - FOOT} fill="transparent" />
              {names.map((name) => {
                const tall = (bar.parts[name] ?? 0) * scale;
                from -= tall;
                return (
                  <rect
                    key={name}
                    x={at * step + step * 0.14}
                    y={from}
                    width={step * 0.72}
                    height={tall}
                    fill={colourOf(name)}
                    rx={1.5}
                  />
                );
              })}
            </g>
          );
        })}
        {limit && shown >= limit ? (
          <line
            className={classes.limit}
            x1={0}
            x2={WIDTH}
            y1={height - FOOT - limit * scale}
            y2={height - FOOT - limit * scale}
          />
        ) : null}
        <line className={classes.ground} x1={0} x2={WIDTH} y1={height - FOOT} y2={height - FOOT} />
      </svg>
      <div className={classes.labels} aria-hidden>
        {bars.map((bar, at) => (
          <span key={bar.label}>{at % every === 0 ? bar.label : ""}</span>
        ))}
      </div>
      {names.length > 1 && (
        <ul className={classes.legend} aria-hidden>
          {names.map((name) => (
            <li key={name}>
              <svg width="10" height="10" aria-hidden>
                <rect width="10" height="10" rx="2" fill={colourOf(name)} />
              </svg>
              {name}
            </li>
          ))}
        </ul>
      )}
      {/* No table is narrower than its words. */}
      <div className="hidden">
        <table>
          <caption>{title}</caption>
          <thead>
            <tr>
              <th scope="col">When</th>
              {names.map((name) => (
                <th key={name} scope="col">
                  {name}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {bars.map((bar) => (
              <tr key={bar.label}>
                <th scope="row">{bar.label}</th>
                {names.map((name) => (
                  <td key={name}>{said(bar.parts[name] ?? 0)}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </figure>
  );
}
