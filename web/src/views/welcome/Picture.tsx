import classes from "./Welcome.module.css";

/** Who speaks to whom. The lines below it say the same. */
export function Picture() {
  return (
    <svg viewBox="0 0 640 200" className={classes.picture} role="img" aria-labelledby="picture">
      <title id="picture">
        You speak to Ownkey, where your keys lie; Ownkey speaks to the provider that you choose, and to nobody else.
      </title>
      <rect x="8" y="12" width="372" height="176" rx="12" className={classes.own} strokeWidth="1.5" />
      <text x="26" y="40" className={classes.aside}>
        This machine
      </text>
      <rect x="28" y="66" width="112" height="64" rx="8" className={classes.box} />
      <text x="84" y="103" textAnchor="middle">
        You
      </text>
      <path d="M144 98 h72 m-7 -5 l7 5 l-7 5" className={classes.line} strokeWidth="1.5" />
      <rect x="222" y="56" width="136" height="84" rx="8" className={classes.box} />
      <text x="290" y="92" textAnchor="middle">
        Ownkey
      </text>
      <g className={classes.line} strokeWidth="1.5" transform="translate(266 108)">
        <circle cx="8" cy="8" r="6" />
        <path d="M14 8 h26 m-7 0 v6 m-7 -6 v4" />
      </g>
      <path d="M362 98 h104 m-7 -5 l7 5 l-7 5" className={classes.line} strokeWidth="1.5" />
      <text x="424" y="88" textAnchor="middle" className={classes.aside}>
        encrypted
      </text>
      <rect x="472" y="66" width="150" height="64" rx="8" className={classes.box} />
      <text x="547" y="94" textAnchor="middle">
        The provider
      </text>
      <text x="547" y="113" textAnchor="middle" className={classes.aside}>
        that you choose
      </text>
      <path d="M362 122 C 400 160 430 168 466 170" className={classes.none} strokeWidth="1.5" />
      <text x="547" y="175" textAnchor="middle" className={classes.aside}>
        nobody else
      </text>
      <path d="M414 148 l10 10 m0 -10 l-10 10" className={classes.line} strokeWidth="1.5" />
    </svg>
  );
}
