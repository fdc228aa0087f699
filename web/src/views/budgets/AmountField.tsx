import { Box, Slider, TextInput } from "@mantine/core";
import { faultOf, nearest, plain, said, stops, type Unit } from "./amount";

interface Given {
  label: string;
  unit: Unit;
  value: string;
  change: (text: string) => void;
  description?: string;
  disabled?: boolean;
}

/** An amount by a slider over round ones, and exactly in a field: each follows the other. */
export function AmountField(given: Given) {
  const { label, unit, value, change, disabled } = given;
  const all = stops(unit);
  const words = (at: number) => (unit === "usd" ? `$${all[at]}` : said(Number(all[at]), unit));
  return (
    <Box>
      <ExactField {...given} />
      <Slider
        mt="sm"
        min={0}
        max={all.length - 1}
        value={nearest(value, unit)}
        onChange={(at) => change(all[at] ?? "")}
        label={words}
        thumbLabel={`${label}, roughly`}
        thumbValueText={words}
        thumbSize={24}
        disabled={disabled}
      />
    </Box>
  );
}

export function ExactField({ label, unit, value, change, description, disabled }: Given) {
  return (
    <TextInput
      label={label}
      description={description}
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
      onBlur={() => change(plain(value))}
      error={faultOf(value, unit)}
      leftSection={unit === "usd" ? <span aria-hidden>$</span> : undefined}
      rightSection={unit === "usd" ? undefined : <span className="quiet">{unit}</span>}
      rightSectionWidth={unit === "usd" ? undefined : 76}
      inputMode={unit === "usd" ? "decimal" : "numeric"}
      autoComplete="off"
      classNames={{ input: "figures" }}
      disabled={disabled}
    />
  );
}
