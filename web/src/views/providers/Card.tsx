import { useSortable } from "@dnd-kit/sortable";
import { CSS } from "@dnd-kit/utilities";
import { ActionIcon, Group, Menu, Text, Title } from "@mantine/core";
import { IconArrowLeft, IconArrowRight, IconDots, IconGripVertical, IconPower } from "@tabler/icons-react";
import { Link, useLocation } from "react-router";
import { Money, When } from "../../parts/Figures";
import { State } from "../../parts/State";
import { type Key, masked, type Provider, sheetOf, standing } from "./data";
import classes from "./Providers.module.css";
import { TestButton, TestSaid, useTest } from "./Test";
import { testProvider } from "./tested";

const SHOWN_KEYS = 2;

export interface Moves {
  earlier: (() => void) | null;
  later: (() => void) | null;
  toggle: () => void;
}

/** One provider. `moves` are for who may put them in order and switch them. */
export function Card({ provider, keys, moves }: { provider: Provider; keys: readonly Key[]; moves: Moves | null }) {
  const { search } = useLocation();
  const testing = useTest(() => testProvider(provider.id));
  const sortable = useSortable({ id: provider.id, disabled: moves === null });
  const [tone, word] = standing(provider);
  return (
    <li
      ref={sortable.setNodeRef}
      className={classes.card}
      data-dragged={sortable.isDragging || undefined}
      style={{ transform: CSS.Translate.toString(sortable.transform), transition: sortable.transition }}
    >
      <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
        <div>
          <Title order={2} fz="md" lineClamp={2}>
            <Link to={sheetOf(provider.id) + search} className={classes.name}>
              {provider.name}
            </Link>
          </Title>
          <State tone={tone}>{word}</State>
        </div>
        {moves && (
          <Group gap={0} wrap="nowrap" className={classes.above}>
            <ActionIcon
              ref={sortable.setActivatorNodeRef}
              variant="subtle"
              color="gray"
              className={classes.handle}
              {...sortable.attributes}
              {...sortable.listeners}
              aria-label={`Move ${provider.name}`}
            >
              <IconGripVertical size={16} aria-hidden />
            </ActionIcon>
            <More provider={provider} moves={moves} />
          </Group>
        )}
      </Group>
      <Keys provider={provider} keys={keys} />
      {!testing.isIdle && (
        <div className={classes.above}>
          <TestSaid testing={testing} asking={provider.name} />
        </div>
      )}
      <div className={classes.foot}>
        <Text size="sm">
          <Cost provider={provider} />
        </Text>
        {provider.enabled && (keys.length > 0 || provider.kind !== "cloud") && (
          <span className={classes.above}>
            <TestButton testing={testing} of={provider.name} />
          </span>
        )}
      </div>
    </li>
  );
}

function Keys({ provider, keys }: { provider: Provider; keys: readonly Key[] }) {
  if (keys.length === 0) {
    return (
      <Text size="sm" className="quiet">
        {provider.kind === "cloud" ? "Open it to add a key." : "Needs no key."}
      </Text>
    );
  }
  return (
    <div>
      {keys.slice(0, SHOWN_KEYS).map((key) => (
        <div key={key.id} className={classes.key}>
          <code>{masked(key)}</code>
          <Text span size="xs" className="quiet">
            {key.used_at_ms === null ? (
              "never used"
            ) : (
              <>
                used <When ms={key.used_at_ms} />
              </>
            )}
          </Text>
        </div>
      ))}
      {keys.length > SHOWN_KEYS && (
        <Text size="xs" className="quiet">
          and {keys.length - SHOWN_KEYS} more
        </Text>
      )}
    </div>
  );
}

/** Of this month; for what costs nothing that it is free. */
export function Cost({ provider }: { provider: Provider }) {
  if (provider.free && provider.month_nano === 0) return <span className="quiet">Free</span>;
  return (
    <>
      <Money nanoUsd={provider.month_nano} /> <span className="quiet">this month</span>
      {!provider.prices_known && <span className="quiet">, prices unknown</span>}
    </>
  );
}

function More({ provider, moves }: { provider: Provider; moves: Moves }) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={`More for ${provider.name}`}>
          <IconDots size={16} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item
          leftSection={<IconArrowLeft size={16} aria-hidden />}
          disabled={!moves.earlier}
          onClick={() => moves.earlier?.()}
        >
          Move earlier
        </Menu.Item>
        <Menu.Item
          leftSection={<IconArrowRight size={16} aria-hidden />}
          disabled={!moves.later}
          onClick={() => moves.later?.()}
        >
          Move later
        </Menu.Item>
        <Menu.Item leftSection={<IconPower size={16} aria-hidden />} onClick={moves.toggle}>
          {provider.enabled ? "Switch off" : "Switch on"}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}
