import { Anchor, Button, Center, Divider, Group, Paper, Stack, Text, Title } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { api, told } from "../../api/client";
import { readSession } from "../../app/session";
import { ByInvitation } from "./ByInvitation";
import { ByPasskey } from "./ByPasskey";
import { ByPassword } from "./ByPassword";
import { Entering } from "./Entering";
import { keepFrom, useEnter, useFrom } from "./enter";

/** What stands after `#link=` or `#invitation=`. */
function inFragment(): URLSearchParams {
  return new URLSearchParams(window.location.hash.slice(1));
}

export default function SignIn() {
  const [given, setGiven] = useState(inFragment);
  useEffect(() => {
    // It is good once, and so taken out of the address at once; a link may also be opened where this page is already.
    const take = () => {
      if (window.location.hash.length <= 1) return;
      setGiven(inFragment());
      window.history.replaceState(window.history.state, "", window.location.pathname);
    };
    take();
    window.addEventListener("hashchange", take);
    return () => window.removeEventListener("hashchange", take);
  }, []);
  const invited = given.has("invitation");
  const title = invited ? "Choose your password" : "Sign in";
  useEffect(() => {
    document.title = `${title} · Ownkey`;
  }, [title]);
  return (
    <Center mih="100vh" p="md" component="main">
      <Paper withBorder p="lg" w={400} maw="100%">
        <Group gap="xs" mb="md">
          <img src="/favicon.svg" alt="" width={24} height={24} />
          <Text span fw={600}>
            Ownkey
          </Text>
        </Group>
        <Title order={1} mb="md">
          {title}
        </Title>
        <Way key={given.toString()} given={given} />
      </Paper>
    </Center>
  );
}

function Way({ given }: { given: URLSearchParams }) {
  const enter = useEnter();
  const link = given.get("link");
  const invitation = given.get("invitation");
  const refused = given.get("refused");
  if (link) {
    return (
      <Entering go={async () => enter(await told(api.POST("/api/byok/sign-in/link", { body: { link } })))}>
        A link is good once, and for a few minutes. <code>ownkey users sign-in</code> prints a new one.
      </Entering>
    );
  }
  if (given.has("entered")) {
    return (
      <Entering go={async () => enter(await readSession())}>
        <Anchor href="/sign-in">Sign in again</Anchor>
      </Entering>
    );
  }
  return invitation ? <ByInvitation invitation={invitation} enter={enter} /> : <Ways refused={refused} />;
}

const REFUSED: Record<string, string> = {
  permission_denied: "You have no account here. Ask whoever keeps this Ownkey to add you, by your e-mail address.",
};

/** Every way that there is for who has nothing but what they know or own. */
function Ways({ refused }: { refused: string | null }) {
  const enter = useEnter();
  const from = useFrom();
  const ways = useQuery({ queryKey: ["ways"], queryFn: () => told(api.GET("/api/byok/sign-in")) });
  return (
    <Stack>
      {refused && (
        <Text role="alert" c="var(--bad)">
          {REFUSED[refused] ?? "Your organisation did not let you in. Nothing was changed; try again."}
        </Text>
      )}
      <ByPassword enter={enter} />
      <Divider label="or" />
      {ways.data?.oidc && (
        <Button component="a" href="/api/byok/sign-in/oidc" variant="default" onClick={() => keepFrom(from)}>
          Continue with your organisation
        </Button>
      )}
      <ByPasskey enter={enter} />
      <Text size="sm" className="quiet">
        Is this your own machine? <code>ownkey users sign-in</code> prints a link that opens this page.
      </Text>
    </Stack>
  );
}
