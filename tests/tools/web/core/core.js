// What the harness needs of MiniWoB's globals, for our own pages.
var core = { EPISODE_MAX_TIME: 10000, EP_TIMER: null, cover_div: null };
var WOB_TASK_READY = true, WOB_DONE_GLOBAL = false;
(() => {
    let state = 1;
    Math.seedrandom = (seed) => { state = (seed * 7919 + 1) % 2147483647; };
    Math.random = () => (state = (state * 48271) % 2147483647) / 2147483647;
})();
core.startEpisode = () => {
    if (!core.cover_div) {
        core.cover_div = document.createElement('div');
        core.cover_div.textContent = 'START';
        core.cover_div.style =
            'position: absolute; inset: 0; background: #ddd; font-size: 40px';
        core.cover_div.onclick = () => core.startEpisodeReal();
        document.body.appendChild(core.cover_div);
    }
    core.cover_div.style.display = 'block';
};
core.startEpisodeReal = () => {
    genProblem();
    core.cover_div.style.display = 'none';
    core.ept0 = Date.now();
    clearTimeout(core.EP_TIMER);
    core.EP_TIMER = setTimeout(
        () => core.endEpisode(-1, false, 'timed out'), core.EPISODE_MAX_TIME);
};
core.endEpisode = (reward, shrinks, reason) => {
    if (core.EP_TIMER === null)
        return;
    clearTimeout(core.EP_TIMER);
    core.EP_TIMER = null;
    core.startEpisode();
};
core.getUtterance = () => document.getElementById('query').textContent;
window.onload = () => core.startEpisode();
