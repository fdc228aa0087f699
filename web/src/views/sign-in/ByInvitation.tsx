import { Button, PasswordInput, Stack, Text } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { Failed } from "../../parts/States";
import { ByCode } from "./ByCode";
import type { Enter } from "./enter";

const LEAST = 12;
const MOST = 256;

/** Why this is no good password yet; the server says the last word. */
function lacks(password: string): string | null {
  if (password === "") return null;
  if ([...password].length < LEAST) return `${[...password].length} of at least ${LEAST} characters.`;
  if ([...password].length > MOST) return `At most ${MOST} characters.`;
  return new Set(password).size < 5 ? "Too much of the same: take several words." : null;
}

export function ByInvitation({ invitation, enter }: { invitation: string; enter: Enter }) {
  const [password, setPassword] = useState("");
  const [step, setStep] = useState<string | null>(null);
  const entering = useMutation({
    mutationFn: async () => {
      const answer = await told(api.POST("/api/byok/sign-in/invitation", { body: { invitation, password } }));
      setPassword("");
      if (answer.next === "code") setStep(answer.step);
      else await enter(answer);
    },
  });
  if (step !== null) return <ByCode step={step} enter={enter} again={() => window.location.assign("/sign-in")} />;
  const lack = lacks(password);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    entering.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <Text>You were invited to this Ownkey. The password that you choose is yours alone.</Text>
        <PasswordInput
          label="New password"
          description={`At least ${LEAST} characters. Several words are easy to remember.`}
          autoComplete="new-password"
          required
          withAsterisk={false}
          autoFocus
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        <Text size="sm" role="status" mih={20} mt={-8} c="var(--warn)">
          {lack}
        </Text>
        {entering.isError && <Failed error={entering.error} compact />}
        <Button type="submit" loading={entering.isPending} disabled={password === "" || lack !== null}>
          Set the password and sign in
        </Button>
      </Stack>
    </form>
  );
}
