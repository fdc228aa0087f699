import { Text, Title } from "@mantine/core";
import { Link } from "react-router";
import type { Shape } from "../../api/client";
import { State, type Tone } from "../../parts/State";
import classes from "./Home.module.css";

type Dot = Shape<"DotShape">;

const WORDS: Record<Dot["state"], [Tone, string]> = {
  well: ["good", "answers"],
  failing: ["bad", "fails"],
  resting: ["bad", "rests after failures"],
  probing: ["warn", "is tried again"],
  quiet: ["quiet", "not asked lately"],
  unknown: ["quiet", "not asked lately"],
};

/** How each provider is: a row that is quiet where all is well. */
export function Dots({ dots }: { dots: readonly Dot[] }) {
  return (
    <section className="card" aria-labelledby="health">
      <Title order={2} id="health" mb="sm">
        Providers
      </Title>
      {dots.length === 0 && <Text className="quiet">No provider has been added yet.</Text>}
      <ul className={classes.dots}>
        {dots.map((dot) => {
          const [tone, word] = WORDS[dot.state];
          return (
            <li key={dot.provider}>
              <Link to={`/settings/byok/${encodeURIComponent(dot.provider)}`} className={classes.dot}>
                <span className={classes.name}>{dot.name}</span>
                <State tone={tone}>{word}</State>
              </Link>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
