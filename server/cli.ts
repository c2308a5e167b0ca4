import { readFileSync } from 'node:fs'
import { Command, InvalidArgumentError, Option } from 'commander'
import { run, type Output } from './cli/context.ts'

// Started by cli.mjs. Each command loads its own code when it runs, so that `verify` and `--help` answer at once.

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }

const program = new Command('gatehouse')
  .description('Self-hosted sign-in, session and notification server for Telegram Mini Apps and TON apps')
  .version(version)
  .showHelpAfterError('(--help shows what there is)')
  .configureOutput({
    // A program that asked for JSON gets it for a call that it made wrongly, too.
    outputError(text, write) {
      if (process.argv.includes('--json'))
        process.stdout.write(`${JSON.stringify({ error: text.trim().replace(/^error: /, '') })}\n`)
      else write(text)
    },
  })
  .addHelpText(
    'after',
    `
Settings come from the environment: DATABASE_URL, PORT, GATEHOUSE_PUBLIC_URL and others (see the README).
Secrets are read from standard input, never from arguments.
Exit codes: 0 done, 1 failed or refused, 2 a setting in the environment is wrong.`,
  )

/** A command with --json, as every one has it. */
function command(parent: Command, name: string, description: string): Command {
  return parent.command(name).description(description).addOption(new Option('--json', 'print JSON'))
}

command(program, 'serve', 'bring the database up to date and serve everything on one port').action((options: Output) =>
  run(options, async () => (await import('./cli/serve.ts')).serve(options)),
)

command(program, 'migrate', 'bring the database up to date').action((options: Output) =>
  run(options, async () => (await import('./cli/serve.ts')).migrate(options)),
)

const operator = program.command('operator').description('the people who use the console')

type NewOperator = Output & { email: string; role: string; name?: string; passwordStdin?: boolean }
command(operator, 'create', 'make an operator; the password comes from standard input')
  .requiredOption('--email <email>', 'the address to sign in with')
  .addOption(
    new Option('--role <role>', 'what the operator may do')
      .choices(['owner', 'admin', 'support', 'viewer'])
      .makeOptionMandatory(),
  )
  .option('--name <name>', 'the name to show')
  .option('--password-stdin', 'read the password from standard input')
  .action((options: NewOperator) =>
    run(options, async () => (await import('./cli/operator.ts')).createOperator(options)),
  )

command(operator, 'token', "make an API token with an operator's role; it is printed once")
  .requiredOption('--email <email>', 'whose token')
  .requiredOption('--name <name>', 'what it is for')
  .action((options: Output & { email: string; name: string }) =>
    run(options, async () => (await import('./cli/operator.ts')).createToken(options)),
  )

command(program, 'apply', 'bring apps and their settings to what a YAML or JSON file declares')
  .requiredOption('-f, --file <file>', 'the file, - for standard input')
  .option('--dry-run', 'say what would change, and change nothing')
  .action((options: Output & { file: string; dryRun?: boolean }) =>
    run(options, async () => (await import('./cli/apps.ts')).apply(options)),
  )

command(program, 'export', 'print all apps as the file that apply takes, without secrets').action((options: Output) =>
  run(options, async () => (await import('./cli/apps.ts')).exportAll(options)),
)

command(program, 'backup', 'copy the SQLite database into a file while it is in use')
  .argument('<file>', 'a file that does not exist yet')
  .option('--keys <file>', "keep people's own keys in this file instead; it replaces the one before")
  .action((file: string, options: Output & { keys?: string }) =>
    run(options, async () => (await import('./cli/backup.ts')).backup(file, options)),
  )

command(program, 'restore', 'put a backup in the place of the SQLite database; ends all sessions')
  .argument('<file>', 'what backup wrote')
  .option('--keys <file>', "the newest file of people's keys, for a backup made with --keys")
  .action((file: string, options: Output & { keys?: string }) =>
    run(options, async () => (await import('./cli/backup.ts')).restore(file, options)),
  )

command(program, 'doctor', 'check settings, database, keys, clock and mail').action((options: Output) =>
  run(options, async () => (await import('./cli/doctor.ts')).doctor(options)),
)

const keys = program.command('keys').description('the keys that sign access tokens')
command(keys, 'rotate', 'sign with the next key from now on')
  .option('--reason <text>', 'why, for the audit log')
  .action((options: Output & { reason?: string }) =>
    run(options, async () => (await import('./cli/keys.ts')).rotate(options)),
  )

const verify = program
  .command('verify')
  .description('why is my login refused? Prints {"valid": …, "reason": …} and exits 0 or 1')

const moment = (name: string, description: string) =>
  new Option(name, description).argParser((text: string) => {
    if (!/^\d{1,12}$/.test(text)) throw new InvalidArgumentError('It is a whole number of seconds.')
    return Number(text)
  })
const now = () => moment('--now <unix>', 'judge as of this time instead of now')
const maxAge = (seconds: number) => moment('--max-age <seconds>', `the oldest that is accepted (default ${seconds})`)

type Proof = Output & { data: string; now?: number; maxAge?: number }
command(verify, 'telegram', 'initData of a Mini App, or the data of the Login Widget')
  .requiredOption('--data <file>', 'what the page received: text or JSON')
  .option('--bot-token-stdin', "read the bot's token from standard input")
  .addOption(now())
  .addOption(maxAge(86_400))
  .action((options: Proof & { botTokenStdin?: boolean }) =>
    run(options, async () => (await import('./cli/verify.ts')).telegram(options)),
  )

command(verify, 'ton-proof', 'a ton_proof of TON Connect')
  .requiredOption('--data <file>', 'JSON with account and proof, - for standard input')
  .option(
    '--domain <domain>',
    'a domain that the proof may be for; repeat for more',
    (domain: string, before: string[] | undefined) => [...(before ?? []), domain],
  )
  .option('--payload <payload>', 'the nonce that was given out')
  .addOption(now())
  .addOption(maxAge(300))
  .action((options: Proof & { domain?: string[]; payload?: string }) =>
    run(options, async () => (await import('./cli/verify.ts')).tonProof(options)),
  )

command(verify, 'ton-address', 'whether a state init makes an address')
  .requiredOption('--data <file>', 'JSON with address and stateInit, - for standard input')
  .action((options: Proof) => run(options, async () => (await import('./cli/verify.ts')).tonAddress(options)))

command(verify, 'webhook', 'the signature of a webhook that was received')
  .requiredOption('--data <file>', 'JSON {headers, body}, or the HTTP request as text')
  .option('--secret-stdin', 'read the signing secret (whsec_…, or whpk_… for v1a) from standard input')
  .addOption(now())
  .addOption(maxAge(300))
  .action((options: Proof & { secretStdin?: boolean }) =>
    run(options, async () => (await import('./cli/verify.ts')).webhook(options)),
  )

command(verify, 'token', 'an access or refresh token of this installation')
  .argument('<token>', 'the token, - for standard input')
  .action((token: string, options: Output) => run(options, async () => (await import('./cli/verify.ts')).token(token)))

await program.parseAsync()
