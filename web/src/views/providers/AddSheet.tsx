import { Button, Group, Stack, Text, TextInput, Title } from "@mantine/core";
import { IconChevronRight, IconSearch } from "@tabler/icons-react";
import { useQueryClient } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { Link, useNavigate, useSearchParams } from "react-router";
import { api, type Shape } from "../../api/client";
import { asProblem } from "../../api/problem";
import { useKeeper } from "../../app/session";
import { useSay } from "../../parts/Said";
import { Sheet } from "../../parts/Sheet";
import { Answered, Waiting } from "../../parts/States";
import { addFromGallery, HOME, isInUse, isLocal, type Provider, refresh, sheetOf, useGallery, useLocal } from "./data";
import { offerSays } from "./FromGallery";
import { OwnForm } from "./OwnForm";
import { OwnToml } from "./OwnToml";
import classes from "./Providers.module.css";
import { many } from "./tested";

/** One that can be taken: known here already, or in the gallery. */
interface Offered {
  id: string;
  name: string;
  local: boolean;
  says: string;
  words: string;
}

const TITLES = { form: "Describe a provider", toml: "Add a provider as TOML" };

/** Where providers are found: those that run here, those that are known, and one's own. */
export default function AddSheet({ providers }: { providers: readonly Provider[] }) {
  const keeper = useKeeper();
  const [search] = useSearchParams();
  const by = search.get("by");
  const own = keeper && (by === "form" || by === "toml") ? by : null;
  return (
    <Sheet title={own ? TITLES[own] : "Add a provider"} back={own ? `${HOME}/add` : HOME}>
      {own === "form" && <OwnForm />}
      {own === "toml" && <OwnToml />}
      {own === null && <Gallery providers={providers} keeper={keeper} />}
    </Sheet>
  );
}

function Gallery({ providers, keeper }: { providers: readonly Provider[]; keeper: boolean }) {
  const gallery = useGallery();
  const [typed, setTyped] = useState("");
  return (
    <Stack gap="md">
      <TextInput
        label="Search providers"
        placeholder="Name, address or model"
        leftSection={<IconSearch size={16} aria-hidden />}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        data-autofocus
        autoComplete="off"
      />
      {keeper && typed === "" && <Running used={providers.filter(isInUse)} />}
      <Answered query={gallery} waiting={<Waiting rows={6} height={44} />}>
        {(offers) => <Found providers={providers} gallery={keeper ? offers : []} typed={typed} />}
      </Answered>
      {keeper ? (
        <section aria-labelledby="own">
          <Title order={2} id="own" mb="xs">
            Another one
          </Title>
          <Group gap="xs">
            <Button component={Link} to="?by=form" variant="default" size="xs">
              Describe it in a form
            </Button>
            <Button component={Link} to="?by=toml" variant="default" size="xs">
              Paste its TOML
            </Button>
          </Group>
        </section>
      ) : (
        <Text className="quiet">Who keeps this Ownkey can add others.</Text>
      )}
    </Stack>
  );
}

function Found({
  providers,
  gallery,
  typed,
}: {
  providers: readonly Provider[];
  gallery: readonly Shape<"GalleryOneShape">[];
  typed: string;
}) {
  const all = useMemo(() => offered(providers, gallery), [providers, gallery]);
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const found = all.filter((one) => words.every((word) => one.words.includes(word)));
  const cloud = found.filter((one) => !one.local);
  const local = found.filter((one) => one.local);
  return (
    <div>
      <Text role="status" size="sm" className="quiet" mb="xs">
        {found.length === 0 ? "No provider is called that." : `${found.length} to choose from.`}
      </Text>
      <Offers title="Cloud" id="cloud" offers={cloud} />
      <Offers title="Local" id="local" offers={local} />
    </div>
  );
}

function Offers({ title, id, offers }: { title: string; id: string; offers: readonly Offered[] }) {
  if (offers.length === 0) return null;
  return (
    <section aria-labelledby={id}>
      <Title order={2} id={id} mb="xs">
        {title}
      </Title>
      <ul className={classes.gallery}>
        {offers.map((one) => (
          <li key={one.id}>
            <Link to={sheetOf(one.id)} className={classes.offer} style={{ color: "inherit", textDecoration: "none" }}>
              <span>
                <Text span fw={500} display="block">
                  {one.name}
                </Text>
                <Text span size="xs" className="quiet">
                  {one.says}
                </Text>
              </span>
              <IconChevronRight size={16} aria-hidden style={{ flexShrink: 0 }} />
            </Link>
          </li>
        ))}
      </ul>
    </section>
  );
}

function offered(providers: readonly Provider[], gallery: readonly Shape<"GalleryOneShape">[]): Offered[] {
  const here = providers
    .filter((one) => !isInUse(one))
    .map((one) => ({
      id: one.id,
      name: one.name,
      local: isLocal(one),
      says: offerSays({ free: one.free, prices_known: one.prices_known, key_required: one.key_required, models: [] }),
      words: `${one.id} ${one.name} ${one.endpoint}`.toLowerCase(),
    }));
  const there = gallery
    .filter((one) => !one.added)
    .map((one) => ({
      id: one.id,
      name: one.name,
      local: isLocal(one),
      says: offerSays(one),
      words: `${one.id} ${one.name} ${one.base_url} ${one.models.join(" ")}`.toLowerCase(),
    }));
  return [...here, ...there];
}

/** Servers of one's own that were found running, each one step away. */
function Running({ used }: { used: readonly Provider[] }) {
  const queries = useQueryClient();
  const navigate = useNavigate();
  const say = useSay();
  const [busy, setBusy] = useState<string | null>(null);
  const local = useLocal();
  const known = new Set(used.map((one) => one.id));
  const found = (local.data ?? []).filter(
    (one) => (one.state === "found" || one.state === "wants_key") && !known.has(one.provider),
  );
  const use = async (one: Shape<"LocalShape">) => {
    setBusy(one.provider);
    try {
      if (!one.added) await addFromGallery(queries, one.provider);
      await api.POST("/api/byok/models/refresh", { body: { provider: one.provider } });
      await refresh(queries);
      await navigate(`${sheetOf(one.provider)}?kind=local`);
    } catch (error) {
      say(`${one.name} was not added. ${asProblem(error).said}`);
      setBusy(null);
    }
  };
  return (
    <section aria-labelledby="running">
      <Title order={2} id="running" mb="xs">
        Running on this machine
      </Title>
      <div role="status">
        {local.isPending && <Text className="quiet">Looking…</Text>}
        {local.isError && <Text className="quiet">This could not be looked for. {asProblem(local.error).said}</Text>}
        {local.data && found.length === 0 && (
          <Text className="quiet">{known.size > 0 ? "Nothing else was found." : "Nothing was found."}</Text>
        )}
      </div>
      <ul className={classes.gallery} style={{ marginBottom: 0 }}>
        {found.map((one) => (
          <li key={one.provider} className={classes.offer}>
            <span>
              <Text span fw={500} display="block">
                {one.name}
              </Text>
              <Text span size="xs" className="quiet">
                {one.state === "wants_key"
                  ? `Answers at ${one.address}, and wants a key.`
                  : `Answers at ${one.address}, with ${many(one.models.length)}.`}
              </Text>
            </span>
            <Button
              size="xs"
              variant="default"
              loading={busy === one.provider}
              onClick={() => void use(one)}
              aria-label={`${one.added ? "Open" : "Add"} ${one.name}`}
              style={{ flexShrink: 0 }}
            >
              {one.added ? "Open" : "Add"}
            </Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
