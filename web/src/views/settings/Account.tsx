import { Button, Group, PasswordInput, Stack, Text, TextInput, Title } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, type Shape, told } from "../../api/client";
import { SESSION, usePerson } from "../../app/session";
import { When } from "../../parts/Figures";
import { useSay } from "../../parts/Said";
import { Secret } from "../../parts/Secret";
import { State } from "../../parts/State";
import { Answered, Failed } from "../../parts/States";
import { browserNamed } from "./browser";
import { Passkeys } from "./Passkeys";
import classes from "./Settings.module.css";

type Session = Shape<"SessionShape">;

/** How somebody signs in, and where they are signed in. */
export function Account() {
  const person = usePerson();
  return (
    <Stack maw={640} gap="lg">
      <Text>
        You are {person.name}
        {person.email && ` (${person.email})`}.
      </Text>
      <Password />
      <Authenticator />
      <Passkeys />
      <Sessions />
    </Stack>
  );
}

function Password() {
  const person = usePerson();
  const queries = useQueryClient();
  const say = useSay();
  const [password, setPassword] = useState("");
  const setting = useMutation({
    mutationFn: () => api.PUT("/api/byok/sessions/current/password", { body: { password } }),
    onSuccess: () => {
      setPassword("");
      say("Your password was set. Every other session has ended.");
      return queries.invalidateQueries({ queryKey: ["sessions"] });
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setting.mutate();
  };
  return (
    <section className="card" aria-labelledby="password">
      <Title order={2} id="password" mb="sm">
        Password
      </Title>
      <form onSubmit={submit}>
        <Stack>
          {!person.email && (
            <Text className="quiet">
              Without an e-mail address you sign in by the link that <code>ownkey users sign-in</code> prints.
            </Text>
          )}
          <PasswordInput
            label="New password"
            description="At least 12 characters; a few words do well."
            autoComplete="new-password"
            required
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
          />
          {setting.isError && <Failed error={setting.error} compact />}
          <Button type="submit" w="fit-content" loading={setting.isPending}>
            Set password
          </Button>
        </Stack>
      </form>
    </section>
  );
}

function Authenticator() {
  const person = usePerson();
  const queries = useQueryClient();
  const [code, setCode] = useState("");
  const beginning = useMutation({
    mutationFn: () => told(api.POST("/api/byok/sessions/current/authenticator")),
    gcTime: 0,
  });
  const confirming = useMutation({
    mutationFn: () => told(api.PUT("/api/byok/sessions/current/authenticator", { body: { code } })),
    gcTime: 0,
    onSuccess: () => {
      beginning.reset();
      setCode("");
      return queries.invalidateQueries({ queryKey: SESSION });
    },
  });
  const removing = useMutation({
    mutationFn: () => api.DELETE("/api/byok/sessions/current/authenticator"),
    onSuccess: () => queries.invalidateQueries({ queryKey: SESSION }),
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    confirming.mutate();
  };
  return (
    <section className="card" aria-labelledby="authenticator">
      <Title order={2} id="authenticator" mb="xs">
        Second factor
      </Title>
      <Stack>
        <Text className="quiet">A code from an authenticator, beside the password.</Text>
        {confirming.data && (
          <div role="status">
            <Text mb="xs">Keep these. Each is good once, in place of a code, and they are not shown again.</Text>
            <Secret label="Recovery codes" value={confirming.data.recovery_codes.join(" ")} focused />
          </div>
        )}
        {person.second_factor ? (
          <Group>
            <State tone="good">on</State>
            <Button variant="default" size="xs" loading={removing.isPending} onClick={() => removing.mutate()}>
              Switch off
            </Button>
          </Group>
        ) : beginning.data ? (
          <form onSubmit={submit}>
            <Stack>
              <Secret label="Type this into your authenticator" value={beginning.data.secret} focused />
              <TextInput
                label="Code that it shows"
                autoComplete="one-time-code"
                inputMode="numeric"
                required
                value={code}
                onChange={(event) => setCode(event.currentTarget.value)}
              />
              <Button type="submit" w="fit-content" loading={confirming.isPending}>
                Switch on
              </Button>
            </Stack>
          </form>
        ) : (
          <Button variant="default" w="fit-content" loading={beginning.isPending} onClick={() => beginning.mutate()}>
            Set up a second factor
          </Button>
        )}
        {(beginning.isError || confirming.isError || removing.isError) && (
          <Failed error={confirming.error ?? beginning.error ?? removing.error} compact />
        )}
      </Stack>
    </section>
  );
}

function Sessions() {
  const queries = useQueryClient();
  const key = ["sessions"];
  const sessions = useQuery({ queryKey: key, queryFn: () => told(api.GET("/api/byok/sessions")) });
  const current = useQuery({
    queryKey: ["sessions", "current"],
    queryFn: () => told(api.GET("/api/byok/sessions/current")),
  });
  const ending = useMutation({
    mutationFn: (id: string | null) =>
      id === null
        ? told(api.DELETE("/api/byok/sessions"))
        : told(api.DELETE("/api/byok/sessions/{id}", { params: { path: { id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: key }),
  });
  return (
    <section className="card" aria-labelledby="sessions">
      <Title order={2} id="sessions" mb="xs">
        Where you are signed in
      </Title>
      <Answered query={sessions}>
        {({ sessions: found }) => (
          <>
            <ul className={classes.lines}>
              {found.map((one) => (
                <Place
                  key={one.id}
                  session={one}
                  here={one.id === current.data?.session.id}
                  end={() => ending.mutate(one.id)}
                />
              ))}
            </ul>
            {ending.isError && <Failed error={ending.error} compact />}
            {found.length > 1 && (
              <Button
                variant="default"
                size="xs"
                mt="xs"
                loading={ending.isPending}
                onClick={() => ending.mutate(null)}
              >
                End all others
              </Button>
            )}
          </>
        )}
      </Answered>
    </section>
  );
}

function Place({ session, here, end }: { session: Session; here: boolean; end: () => void }) {
  return (
    <li>
      <div>
        <Text title={session.agent} style={{ overflowWrap: "anywhere" }}>
          {browserNamed(session.agent)}
        </Text>
        <Text size="sm" className="quiet">
          {session.address && `${session.address} · `}seen <When ms={session.seen_at_ms} />
        </Text>
      </div>
      {here ? (
        <State tone="good">here</State>
      ) : (
        <Button variant="subtle" color="red" size="compact-sm" onClick={end}>
          End
        </Button>
      )}
    </li>
  );
}
