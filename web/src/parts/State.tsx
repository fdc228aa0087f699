import { Badge } from "@mantine/core";
import { IconAlertTriangle, IconCircleCheck, IconCircleDashed, IconClock } from "@tabler/icons-react";

export type Tone = "good" | "warn" | "bad" | "quiet";

const ICONS = { good: IconCircleCheck, warn: IconClock, bad: IconAlertTriangle, quiet: IconCircleDashed };

/** A state in a word, with a sign and a colour: never by colour alone. */
export function State({ tone, children }: { tone: Tone; children: string }) {
  const Icon = ICONS[tone];
  return (
    <Badge
      variant="transparent"
      tt="none"
      fw={500}
      px={0}
      c={tone === "quiet" ? "var(--quiet)" : `var(--${tone})`}
      leftSection={<Icon size={15} aria-hidden />}
    >
      {children}
    </Badge>
  );
}
