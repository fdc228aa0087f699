import { Button, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { api, told } from "../../api/client";
import { Failed } from "../../parts/States";
import { ByCode } from "./ByCode";
import type { Enter } from "./enter";

export function ByPassword({ enter }: { enter: Enter }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [step, setStep] = useState<string | null>(null);
  const entering = useMutation({
    mutationFn: async () => {
      const answer = await told(api.POST("/api/byok/sign-in/password", { body: { email, password } }));
      setPassword("");
      if (answer.next === "code") setStep(answer.step);
      else await enter(answer);
    },
  });
  if (step !== null) return <ByCode step={step} enter={enter} again={() => setStep(null)} />;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    entering.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack>
        <TextInput
          label="E-mail"
          type="email"
          autoComplete="username"
          required
          withAsterisk={false}
          value={email}
          onChange={(event) => setEmail(event.currentTarget.value)}
        />
        <PasswordInput
          label="Password"
          autoComplete="current-password"
          required
          withAsterisk={false}
          value={password}
          onChange={(event) => setPassword(event.currentTarget.value)}
        />
        {entering.isError && <Failed error={entering.error} compact />}
        <Button type="submit" loading={entering.isPending}>
          Sign in
        </Button>
      </Stack>
    </form>
  );
}
