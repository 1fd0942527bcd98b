// Pictures of the page for people to look at: npm run screenshots [-- DIRECTORY]
// They show a conversation, the first visit, a lost connection and a narrow window, light and dark.

import { mkdir } from "node:fs/promises";
import { Client, Person, Server, launchBrowser } from "./support.mjs";

const directory = process.argv[2] ?? "screenshots";
const server = await Server.start();
await mkdir(directory, { recursive: true });
const browser = await launchBrowser();

async function shot(person, name) {
  await person.page.screenshot({ path: `${directory}/${name}.png`, animations: "disabled" });
  console.log(`${directory}/${name}.png`);
}

const views = {
  light: { colorScheme: "light", viewport: { width: 1100, height: 720 } },
  dark: { colorScheme: "dark", viewport: { width: 1100, height: 720 } },
  "narrow-light": { colorScheme: "light", viewport: { width: 375, height: 700 }, hasTouch: true, isMobile: true },
  "narrow-dark": { colorScheme: "dark", viewport: { width: 375, height: 700 }, hasTouch: true, isMobile: true },
};

const grace = await Client.join(server, "lobby", "Grace Hopper");
const others = [await Client.join(server, "lobby", "王小明"), await Client.join(server, "lobby", "Zoë"),
  await Client.join(server, "lobby", "a-name-of-thirty-two-characters!")];
grace.say("Morning all. The nightly build is green again.");
grace.say("The flaky test was a race in the timer wheel: it cancelled an entry that was already due.");
others[0].say("好的,谢谢!");
others[1].say("Nice. How long did it take to find?\nI looked at it on Friday and gave up.");
others[2].say("https://example.org/a/very/long/address/that/does/not/have/any/space/in/it/and/goes/on/for/quite/a/while?with=query&and=more");
await others[2].until((message) => message.text?.startsWith("https"));

const people = {};
for (const [name, context] of Object.entries(views)) {
  const person = await Person.open(browser, server, { context });
  await person.page.getByTestId("name-input").waitFor();
  await shot(person, `${name}-first-visit`);
  people[name] = person;
  await person.enter("Ada");
  await person.say("Two evenings. A test with a virtual clock found it in the end.");
  await person.sees("Two evenings. A test with a virtual clock found it in the end.");
  await person.say("I'll write it up.");
  await person.sees("I'll write it up.");
  grace.say("Please do.");
  await person.sees("Please do.");
  await shot(person, `${name}-room`);
  if (name.startsWith("narrow")) {
    await person.page.getByRole("button", { name: "Rooms and people", exact: true }).click();
    await person.page.waitForTimeout(300);
    await shot(person, `${name}-side`);
    await person.page.keyboard.press("Escape");
  }
}
const empty = await Person.open(browser, server, { name: "Ada", room: "harbour", context: views.light });
await shot(empty, "light-empty");
await people.light.at("text").fill("x".repeat(2003));
await people.light.at("log").evaluate((log) => { log.scrollTop = 0; });
await people.light.at("change-name").focus();
await people.light.page.keyboard.press("Tab");
await shot(people.light, "light-too-long");
await server.stop();
await people["narrow-dark"].page.locator('[data-testid=connection][data-state="waiting"]').waitFor();
await people["narrow-dark"].at("text").fill("Are you there?");
await shot(people["narrow-dark"], "narrow-dark-lost");
await browser.close();
