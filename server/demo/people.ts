import { createHmac } from 'node:crypto'
import { seeded } from './random.ts'

/** A Telegram user as Telegram describes them to a Mini App. */
export type Person = {
  id: number
  first_name: string
  last_name?: string
  username?: string
  language_code: string
  is_premium?: true
  allows_write_to_pm?: true
}

/** First name, last name, @username, language; what is empty the person has not set. */
const names = `
Aiko|Tanaka|aiko_tnk|ja
Mateo|García|mateogarcia|es
Zainab|Bello|zainab_b|en
Oleksandr|Kovalenko|olex_kov|uk
Linh|Nguyễn||vi
Søren|Østergaard|soeren_o|da
Fatima|الزهراء|fatimaz|ar
Ji-woo|박|jiwoo_park|ko
Ananya|Sharma|ananya_s|hi
João|Pereira|joaopereira|pt-br
Анна|Соколова|anna_sokol|ru
Chiara|Rossi|chiara_r|it
Emre|Yılmaz|emreyz|tr
Wei|陈|chenwei88|zh-hans
Ngozi|Okafor|ngozi_writes|en
Lukas|Müller||de
Amélie|Dubois|amelie_dbs|fr
Kofi|Mensah|kofi_m|en
Siti|Nurhaliza|siti_nur|id
Δημήτρης|Παπαδόπουλος|dimitris_p|el
Priya||priya_codes|en
Hamza|Khan|hamzakhan_pk|ur
Ewa|Kowalska|ewa_kow|pl
Noa|לוי|noalevi|he
Tomáš|Novák|tomas_nvk|cs
Ayşe|Demir|aysedemir|tr
Sofía|Hernández||es
Игорь|Васильев|igor_v|ru
Malik|Johnson|malik_j|en
Yuki||yuki_ch|ja
Gabriela|Souza|gabisouza|pt-br
نرگس|رضایی|narges_rz|fa
Bence|Szabó|bence_sz|hu
Aroha|Ngata|aroha_n|en
Dilshod|Karimov|dilshod_k|uz
Ingrid|Hansen|ingridh|nb
Juan Carlos|de la Cruz|jcdelacruz|es
Мария|Иванова||ru
Thandiwe|Mbeki|thandi_m|en
Rahul|Verma|rahul_verma|hi
Élodie|Lefèvre|elodie_l|fr
Minh Anh|Trần|minhanh_t|vi
Kateryna|Shevchenko|katya_shev|uk
Omar|حسن|omar_hasan|ar
Suphansa|ศรีสุข|suphansa|th
Rasmus|Virtanen|rasmusv|fi
Mei-Ling|王|meiling_w|zh-hant
Ilse|van der Berg|ilsevdb|nl
Davit|ბერიძე|davit_b|ka
Leila|Haddad||fr
Andrei|Popescu|andrei_pop|ro
Nurul|Islam|nurul_i|bn
Camila|Rojas|camila_rojas|es
Арман|Сулейменов|arman_s|kk
Hye-jin|최|hyejin_c|ko
Felix|Bauer|felixbauer|de
Wanjiru|Kamau|wanjiru_k|sw
Giorgos||giorgos_gr|el
Ayaan|Gupta|ayaan_g|en
Valentina|Conti|vale_conti|it
`

const random = seeded(60)

export const people: readonly Person[] = names
  .trim()
  .split('\n')
  .map((line) => {
    const [first, last, username, language] = line.split('|') as [string, string, string, string]
    return {
      id: 100_000_000 + random.int(7_000_000_000),
      first_name: first,
      ...(last && { last_name: last }),
      ...(username && { username }),
      language_code: language,
      ...(random.chance(25) && { is_premium: true }),
      ...(random.chance(70) && { allows_write_to_pm: true }),
    }
  })

/** Whom somebody at /demo may play. Nobody else of the demo acts for them, so nobody ends their sessions from elsewhere. */
export const samples: readonly Person[] = [
  { id: 71_000_001, first_name: 'Nadia', last_name: 'Osei', username: 'nadia_o', language_code: 'en' },
  { id: 71_000_002, first_name: 'Tiago', last_name: 'Ramos', username: 'tiago_r', language_code: 'pt-br' },
  { id: 71_000_003, first_name: 'Кирилл', last_name: 'Орлов', language_code: 'ru' },
  { id: 71_000_004, first_name: '美玲', last_name: '林', username: 'meiling_lin', language_code: 'zh-hans' },
]

/** What Telegram hands to a Mini App of this bot that the person opens at `now`, signed with the bot's token. */
export function initDataOf(person: Person, botToken: string, now: Date): string {
  const fields: Record<string, string> = {
    user: JSON.stringify(person),
    chat_instance: String(-3_000_000_000_000_000 - person.id),
    chat_type: 'sender',
    auth_date: String(Math.floor(now.getTime() / 1000)),
  }
  const text = Object.keys(fields)
    .sort()
    .map((key) => `${key}=${fields[key]}`)
    .join('\n')
  const secret = createHmac('sha256', 'WebAppData').update(botToken).digest()
  return new URLSearchParams({
    ...fields,
    hash: createHmac('sha256', secret).update(text).digest('hex'),
  }).toString()
}
