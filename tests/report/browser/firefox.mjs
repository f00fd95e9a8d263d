// SPDX-License-Identifier: Apache-2.0
// Look at a report in Debian's Firefox: node firefox.mjs PROGRAM URL. Goes through the tour, says what it shows.
import puppeteer from "puppeteer-core";

const [, , executablePath, url] = process.argv;
const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
try {
    const page = await browser.newPage();
    const said = [];
    page.on("console", (message) => said.push(message.text()));
    page.on("pageerror", (error) => said.push(String(error)));
    await page.setViewport({ width: 1280, height: 900 });
    await page.goto(url);
    while (!(await page.evaluate("performance.getEntriesByName('drawn').length")))
        await new Promise((done) => setTimeout(done, 20));
    const titles = [];
    for (let step = 0; step < 6; step++) {
        if (step) await page.click(".tour .next");
        titles.push(
            await page.evaluate("document.querySelector('.tour').closest('.view').querySelector('h4').textContent"),
        );
    }
    await page.focus(".map");
    await page.keyboard.press("ArrowRight");
    const here = await page.evaluate("document.querySelector('.here').textContent");
    if (!here.startsWith("byte 0x")) said.push(`keys lead to ${here}`);
    await page.type("input[name=text]", "FirmwareModified");
    await page.click("form button");
    const found = await page.evaluate("document.querySelectorAll('.found li').length");
    if (found !== 2) said.push(`${found} found`);
    const drawn = await page.evaluate(
        "new Set(document.querySelector('canvas').getContext('2d').getImageData(0, 0, 400, 100).data).size",
    );
    if (drawn < 10) said.push("the map is empty");
    if (said.length) throw new Error(said.join("\n"));
    process.stdout.write(`${titles.join(", ")}\n`);
} finally {
    await browser.close();
}
